"""After a write, what is read is what is there."""

import pytest


@pytest.mark.parametrize(
    "write",
    [
        ("jira_create_issue", {"project_key": "PROJ", "summary": "below", "parent": "PROJ-1"}),
        ("jira_link_issues", {"inward_issue": "PROJ-1", "outward_issue": "PROJ-2"}),
    ],
    ids=["child", "link"],
)
async def test_an_issue_shows_what_became_of_those_around_it(call, write):
    asked = {"issue_key": "PROJ-1", "include": ["links"]}
    before = await call("jira_get_issue", **asked)
    tool, arguments = write
    await call(tool, **arguments)
    after = await call("jira_get_issue", **asked)
    assert before != after
    other = "PROJ-4" if tool == "jira_create_issue" else "PROJ-2"
    await call("jira_transition_issue", issue_key=other, transition="In Review")
    assert "In Review" in str(await call("jira_get_issue", **asked))


async def test_searches_know_of_changed_comments_links_and_files(call, jira):
    made = await call("jira_add_comment", issue_key="PROJ-1", comment="apples")
    search = {"jql": "comment ~ pears", "fields": ["issuelinks", "attachment"]}
    assert (await call("jira_search_issues", **search))["count"] == 0
    asked = {"issue_key": "PROJ-1", "comment_id": made["id"]}
    await call("jira_update_comment", **asked, comment="pears")
    found = await call("jira_search_issues", **search)
    assert found["count"] == 1
    await call("jira_add_attachment", issue_key="PROJ-1", filename="a.txt", text="x")
    with_file = await call("jira_search_issues", **search)
    assert with_file != found
    await call("jira_link_issues", inward_issue="PROJ-1", outward_issue="PROJ-2")
    assert await call("jira_search_issues", **search) != with_file
    await call("jira_delete_comment", **asked)
    assert (await call("jira_search_issues", **search))["count"] == 0
