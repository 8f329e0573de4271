"""What models say that nobody would write into a manual: each is understood, or refused with a way on."""

import pytest

from tests.doubles.atlassian import ADA, BO
from tests.doubles.jira import records


def issue(jira, key):
    return jira.issue_by(key)


@pytest.mark.parametrize("name", ["", " ", "_", "\n"])
async def test_a_field_without_a_name_is_refused_in_words(call, name):
    for tool, more in (
        ("jira_search_issues", {"jql": "project = PROJ", "fields": [name]}),
        ("jira_get_issue", {"issue_key": "PROJ-1", "fields": ["summary", name]}),
        ("jira_update_issue", {"issue_key": "PROJ-1", "fields": {name: 1}}),
        ("jira_create_issue", {"project_key": "PROJ", "summary": "x", "additional_fields": {name: 1}}),
    ):
        error = await call(tool, **more)
        assert (error["type"], error["code"]) == ("validation", "unknown_field"), tool


async def test_what_every_answer_has_may_be_asked_for_as_a_field(call):
    told = await call("jira_search_issues", jql="key = PROJ-1", fields=["key", "id", "url", "summary"])
    assert set(told["items"][0]) == {"key", "url", "summary"}
    told = await call("jira_search_issues", jql="key = PROJ-1", fields=["key"])
    assert set(told["items"][0]) == {"key", "url"}
    assert set(await call("jira_get_issue", issue_key="PROJ-1", fields=["key"])) == {"key", "url"}


async def test_a_field_that_was_added_lately_is_known(call, jira, monkeypatch):
    asked = {"issue_key": "PROJ-1", "fields": {"Region": "North"}}
    error = await call("jira_update_issue", **asked)
    assert error["code"] == "unknown_field"
    monkeypatch.setitem(records.FIELDS, "customfield_10077", ("Region", "string", "textfield"))
    monkeypatch.setattr(records, "SETTABLE", {*records.SETTABLE, "customfield_10077"})
    monkeypatch.setattr("connectors.providers.jira.base.NEW_FIELD_S", 0.0)
    assert (await call("jira_update_issue", **asked))["key"] == "PROJ-1"
    assert issue(jira, "PROJ-1")["customfield_10077"] == "North"


async def test_the_type_of_a_new_issue_is_said_in_one_place(call, jira):
    before = len(jira.issues)
    for more in (
        {"type": "Bug"},
        {"issuetype": {"name": "Bug"}},
        {"issue_type": "Bug"},
        {"Issue Type": "Bug"},
    ):
        asked = {"project_key": "PROJ", "summary": "x", "additional_fields": more}
        error = await call("jira_create_issue", **asked)
        assert (error["type"], "issue_type" in error["hint"]) == ("validation", True), more
        error = await call("jira_create_issues_bulk", issues=[asked])
        assert (error["type"], "issue_type" in error["hint"]) == ("validation", True), more
    twice = {"project_key": "PROJ", "summary": "x", "additional_fields": {"summary": "y"}}
    assert "summary" in (await call("jira_create_issue", **twice))["error"]
    assert len(jira.issues) == before


async def test_a_status_by_any_name_is_sent_to_the_workflow(call):
    for name in ("status", "Status", "STATUS "):
        error = await call("jira_update_issue", issue_key="PROJ-1", fields={name: "Done"})
        assert "jira_transition_issue" in error["hint"], name


async def test_lists_take_one_value_and_none(call, jira):
    fields = {"labels": "money", "components": "Shop", "fixVersions": "1.0"}
    await call("jira_update_issue", issue_key="PROJ-1", fields=fields)
    row = issue(jira, "PROJ-1")
    assert (row["labels"], row["components"], row["fixVersions"]) == (
        ["money"], [{"name": "Shop"}], [{"name": "1.0"}],
    )  # fmt: skip
    await call("jira_update_issue", issue_key="PROJ-1", fields={"labels": None, "components": None})
    assert (issue(jira, "PROJ-1")["labels"], issue(jira, "PROJ-1")["components"]) == ([], [])


async def test_people_are_found_by_the_words_that_models_use(call, jira):
    for who, id in (("ME", ADA), ("None", None), ("currentUser()", ADA), ("unassigned", None), ("bo", BO)):
        told = await call("jira_assign_issue", issue_key="PROJ-1", account_id=who)
        assert issue(jira, "PROJ-1")["assignee"] == id, (who, told)
    error = await call("jira_assign_issue", issue_key="PROJ-1", account_id="Zoe")
    assert (error["code"], "jira_search_users" in error["hint"]) == ("unknown_person", True)
    told = await call("jira_build_jql", project="PROJ", assignee="currentUser()")
    assert "assignee = currentUser()" in told["jql"]


async def test_an_empty_word_to_look_for_is_none(call):
    assert (await call("jira_get_projects", query=""))["count"] == 2
    assert (await call("jira_get_boards", name=""))["count"] == 2


async def test_a_parent_is_taken_away_also_where_projects_are_listed(desk, jira):
    fenced = await desk(projects=["PROJ"])
    made = await fenced("jira_create_issue", summary="below", parent="PROJ-1")
    assert issue(jira, made["key"])["parent"]
    for nothing in (None, ""):
        told = await fenced("jira_update_issue", issue_key=made["key"], fields={"parent": nothing})
        assert (told.get("key"), issue(jira, made["key"])["parent"]) == (made["key"], None)


@pytest.mark.parametrize("kind", ["gh-epic-link", "jpo-custom-field-parent", "gh-sprint"])
async def test_a_field_that_names_what_lies_beyond_the_list_is_refused(desk, jira, monkeypatch, kind):
    id = "customfield_10014"
    monkeypatch.setitem(records.FIELDS, id, ("Epic Link", "any", kind))
    monkeypatch.setattr(records, "SETTABLE", {*records.SETTABLE, id})
    fenced, free = await desk(projects=["PROJ"]), await desk()
    beyond = 7 if kind == "gh-sprint" else "OPS-1"
    for name in (id, "Epic Link"):
        error = await fenced("jira_update_issue", issue_key="PROJ-2", fields={name: beyond})
        assert error["type"] in ("permission", "validation"), name
        error = await fenced("jira_create_issue", summary="x", additional_fields={name: beyond})
        assert error["type"] in ("permission", "validation"), name
    assert id not in issue(jira, "PROJ-2")
    if kind != "gh-sprint":
        told = await fenced("jira_update_issue", issue_key="PROJ-2", fields={id: "PROJ-1"})
        assert (told["key"], issue(jira, "PROJ-2")[id]) == ("PROJ-2", "PROJ-1")
    assert (await free("jira_update_issue", issue_key="PROJ-2", fields={id: beyond}))["key"] == "PROJ-2"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("C++ (beta", "C beta"),
        ('say "hello (world" to', 'say "hello world" to'),
        ('an open " quote', "an open quote"),
        ("-foo +bar !baz ~ ^ [x] {y} a:b \\ /", "foo bar baz x y a b"),
        ("NOT this AND that", "not this and that"),
        ("pay* *ment j.doe@example.com re-use v1.2", "pay* ment j.doe@example.com re-use v1.2"),
        ("größe 漢字 🎉", "größe 漢字"),
    ],
    ids=["brackets", "phrase", "quote", "signs", "operators", "kept", "unicode"],
)
async def test_words_to_look_for_are_what_a_text_search_takes(call, text, made):
    quoted = made.replace('"', '\\"')
    told = await call("jira_build_jql", project="PROJ", text=text)
    assert f'text ~ "{quoted}" ORDER BY' in told["jql"]


async def test_a_query_without_a_condition_is_not_built(call, desk):
    for nothing in ({}, {"text": "()"}, {"status": []}):
        error = await call("jira_build_jql", **nothing)
        assert (error["code"], "updated_since" in error["hint"]) == ("bad_jql", True)
    fenced = await desk(projects=["PROJ"])
    jql = (await fenced("jira_build_jql"))["jql"]
    assert (await fenced("jira_search_issues", jql=jql))["count"] == 3


async def test_habits_of_other_languages_are_named(call):
    for jql, word in (
        ("project = PROJ ORDER BY created DESC LIMIT 5", "max_results"),
        ("project = PROJ -- all of it", "comments"),
        ("project = PROJ /* all */", "comments"),
        ("project = PROJ ORDER BY Größe", "quotes"),
    ):
        assert word in (await call("jira_search_issues", jql=jql))["hint"], jql


async def test_a_comment_of_nothing_to_be_seen_is_refused(call):
    for nothing in ("  \n", "<!-- a thought -->", "<div></div>"):
        assert (await call("jira_add_comment", issue_key="PROJ-1", comment=nothing))[
            "error"
        ] == "A comment has a text."


async def test_who_cannot_be_assigned_is_told_where_to_look(call):
    for tool, asked in (
        ("jira_create_issue", {"project_key": "PROJ", "summary": "x", "assignee": "zoe-1"}),
        ("jira_update_issue", {"issue_key": "PROJ-1", "fields": {"reporter": "zoe-1"}}),
        ("jira_assign_issue", {"issue_key": "PROJ-1", "account_id": "zoe-1"}),
    ):
        error = await call(tool, **asked)
        assert (error["type"], "jira_search_users" in error["hint"]) == ("validation", True), (tool, error)


async def test_a_document_that_lies_too_deep_is_refused(call):
    for depth in (130, 500):
        text = '{"type":"x","content":[' * depth + "]}" * depth
        asked = {"description": f'{{"type":"doc","content":[{text}]}}', "format": "adf"}
        error = await call("jira_create_issue", project_key="PROJ", summary="x", **asked)
        assert (error["type"], error["code"]) == ("validation", "too_deep")
