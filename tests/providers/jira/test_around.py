"""What stands around issues: links, pages elsewhere, watchers, logged work, people."""

from connectors.atlassian.markdown import to_adf
from tests.doubles.atlassian import ADA, BO
from tests.doubles.faults import Reset


async def test_issues_are_linked_and_unlinked(call, jira):
    await call("jira_link_issues", inward_issue="PROJ-1", outward_issue="PROJ-2", link_type="Blocks")
    await call("jira_link_issues", inward_issue="PROJ-1", outward_issue="PROJ-2", link_type="Blocks")
    links = (await call("jira_get_issue", issue_key="PROJ-1", include=["links"]))["links"]
    assert [(link["relation"], link["issue"]["key"]) for link in links] == [("blocks", "PROJ-2")]
    await call("jira_unlink_issues", issue_key="PROJ-1", link_id=links[0]["id"])
    assert jira.links == {}
    error = await call("jira_unlink_issues", issue_key="PROJ-1", link_id=links[0]["id"])
    assert (error["type"], "links" in error["hint"]) == ("not_found", True)
    await call("jira_link_issues", inward_issue="PROJ-1", outward_issue="PROJ-2", link_type="Blocks")
    id = next(iter(jira.links))
    error = await call("jira_unlink_issues", issue_key="PROJ-3", link_id=id)
    assert (error["type"], list(jira.links)) == ("not_found", [id]), "it is no link of this issue"
    assert (await call("jira_unlink_issues", link_id=id))["issue_keys"] == ["PROJ-1", "PROJ-2"]
    assert jira.links == {}
    error = await call("jira_link_issues", inward_issue="PROJ-1", outward_issue="PROJ-2", link_type="Loves")
    assert "jira_get_link_types" in error["hint"]
    assert "Blocks" in {row["name"] for row in (await call("jira_get_link_types"))["items"]}


async def test_links_beyond_the_projects_are_refused(desk, jira):
    call = await desk()
    await call("jira_link_issues", inward_issue="OPS-1", outward_issue="PROJ-2")
    fenced = await desk(projects=["PROJ"])
    id = next(iter(jira.links))
    for tool, arguments in (
        ("jira_link_issues", {"inward_issue": "PROJ-1", "outward_issue": "OPS-1"}),
        ("jira_unlink_issues", {"issue_key": "OPS-1", "link_id": id}),
        ("jira_get_remote_links", {"issue_key": "OPS-1"}),
        ("jira_add_remote_link", {"issue_key": "OPS-1", "url": "https://x.example", "title": "x"}),
        ("jira_extract_confluence_links", {"issue_key": "OPS-1"}),
        ("jira_get_watchers", {"issue_key": "OPS-1"}),
        ("jira_add_watcher", {"issue_key": "OPS-1"}),
        ("jira_remove_watcher", {"issue_key": "OPS-1", "account_id": "me"}),
        ("jira_get_worklogs", {"issue_key": "OPS-1"}),
        ("jira_add_worklog", {"issue_key": "OPS-1", "time_spent": "1h"}),
        ("jira_search_users", {"query": "a", "project_key": "OPS"}),
        ("jira_search_users", {"query": "a", "issue_key": "OPS-1"}),
    ):
        assert (await fenced(tool, **arguments))["code"] == "project_not_allowed", tool
    error = await fenced("jira_unlink_issues", issue_key="PROJ-1", link_id=id)
    assert error["type"] == "not_found", "a link of other issues is not reached by its number"
    assert (await fenced("jira_unlink_issues", link_id=id))["code"] == "project_not_allowed"
    assert list(jira.links) == [id]
    links = (await fenced("jira_get_issue", issue_key="PROJ-2", include=["links"])).get("links")
    assert not links, "what lies beyond the list is not told by a link"


async def test_the_same_page_is_linked_once(call, jira):
    for title in ("A", "B"):
        await call("jira_add_remote_link", issue_key="PROJ-1", url="https://x.example/a", title=title)
    links = (await call("jira_get_remote_links", issue_key="PROJ-1"))["items"]
    assert [(link["title"], link["url"]) for link in links] == [("B", "https://x.example/a")]


async def test_pages_and_repositories_are_found_wherever_an_issue_names_them(call, jira):
    row = jira.issue_by("PROJ-1")
    page = "https://x.example/wiki/spaces/DOCS/pages/123/How+to"
    row["description"] = to_adf(f"See {page}. And [code](https://github.com/octo/hello-world/pull/7).")
    await call(
        "jira_add_comment",
        issue_key="PROJ-1",
        comment="https://x.example/wiki/pages/viewpage.action?pageId=9",
    )
    await call(
        "jira_add_remote_link",
        issue_key="PROJ-1",
        url="https://x.example/wiki/spaces/A/pages/5",
        title="Five",
    )
    told = await call("jira_extract_confluence_links", issue_key="PROJ-1")
    assert {row["page_id"]: row["found_in"] for row in told["confluence"]} == {
        "5": "link", "123": "description", "9": "comment",
    }  # fmt: skip
    assert next(row for row in told["confluence"] if row["page_id"] == "123")["title"] == "How to"
    assert [(row["repo"], row["path"]) for row in told["git"]] == [("octo/hello-world", "pull/7")]
    assert "git" not in await call(
        "jira_extract_confluence_links", issue_key="PROJ-1", include_git_urls=False
    )


async def test_watchers_come_and_go(call, jira):
    await call("jira_add_watcher", issue_key="PROJ-1")
    await call("jira_add_watcher", issue_key="PROJ-1", account_id="bo@example.com")
    told = await call("jira_get_watchers", issue_key="PROJ-1")
    assert [row["id"] for row in told["items"]] == [ADA, BO]
    await call("jira_remove_watcher", issue_key="PROJ-1", account_id="me")
    assert jira.issue_by("PROJ-1")["watchers"] == [BO]
    assert (await call("jira_add_watcher", issue_key="PROJ-1", account_id="none"))["type"] == "validation"


async def test_work_is_logged_once(call, jira):
    told = await call(
        "jira_add_worklog",
        issue_key="PROJ-1",
        time_spent="3h 30m",
        comment="**Hard**",
        started="2026-01-31T09:00:00+01:00",
    )
    assert told["time_spent"] == "3h 30m"
    logged = (await call("jira_get_worklogs", issue_key="PROJ-1"))["items"]
    assert (logged[0]["seconds"], logged[0]["text"]) == (12_600, "**Hard**")
    assert logged[0]["started"] == "2026-01-31T09:00:00.000+0100"
    jira.faults.add(Reset(after=True), path="addWorklog")
    error = await call("jira_add_worklog", issue_key="PROJ-1", time_spent="1h")
    assert "jira_get_worklogs" in error["hint"]
    assert len(jira.issue_by("PROJ-1")["worklogs"]) == 2
    assert (await call("jira_add_worklog", issue_key="PROJ-1", time_spent="1h", started="x"))[
        "type"
    ] == "validation"


async def test_people_are_found_by_name_or_address(call):
    assert (await call("jira_search_users", query="bo@"))["items"] == [
        {"id": BO, "name": "Bo Reader", "email": "bo@example.com"}
    ]
    assert (await call("jira_search_users", query="ada", project_key="PROJ"))["items"][0]["id"] == ADA
