"""Every tool once, and the operations of Jira's own documents that it sends.

The double holds each request, and each of its own answers, against those documents where they are
at hand, and fails the test for what breaks them.
"""

from typing import Any

import pytest

from connectors.providers.jira.connector import Jira as Connector

CALLS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("jira_connection_info", {}, {"getServerInfo", "getCurrentUser", "getMyPermissions"}),
    ("jira_get_projects", {}, {"searchProjects"}),
    ("jira_get_project", {"project_key": "PROJ"}, {"getProject"}),
    ("jira_get_issue_types", {"project_key": "PROJ"}, {"getCreateIssueMetaIssueTypes"}),
    ("jira_get_creatable_issue_types", {"project_key": "PROJ"}, {"getCreateIssueMetaIssueTypes"}),
    ("jira_get_project_issue_types", {"project_key": "PROJ"}, {"getProject"}),
    (
        "jira_get_create_metadata", {"project_key": "PROJ", "issue_type_id": "10002"},
        {"getCreateIssueMetaIssueTypeId"},
    ),
    ("jira_list_fields", {}, {"getFields"}),
    (
        "jira_check_story_points_requirement", {"project_key": "PROJ"},
        {"getCreateIssueMetaIssueTypes", "getCreateIssueMetaIssueTypeId"},
    ),
    ("jira_list_versions", {"project_key": "PROJ"}, {"getProjectVersions"}),
    ("jira_create_version", {"project_key": "PROJ", "name": "2.0"}, {"getProject", "createVersion"}),
    ("jira_list_components", {"project_key": "PROJ"}, {"getProjectComponents"}),
    ("jira_list_filters", {}, {"getFiltersPaginated"}),
    ("jira_search_issues", {"jql": "project = PROJ"}, {"searchAndReconsileIssuesUsingJqlPost"}),
    ("jira_count_issues", {"jql": "project = PROJ"}, {"countIssues"}),
    ("jira_build_jql", {"project": "PROJ"}, {"parseJqlQueries"}),
    ("jira_validate_jql", {"jql": "project = PROJ"}, {"parseJqlQueries"}),
    ("jira_get_my_issues", {}, {"searchAndReconsileIssuesUsingJqlPost"}),
    ("jira_create_issue", {"project_key": "PROJ", "summary": "One"}, {"createIssue"}),
    ("jira_create_issues_bulk", {"issues": [{"project_key": "PROJ", "summary": "Two"}]}, {"createIssues"}),
    ("jira_get_issue", {"issue_key": "PROJ-4", "include": ["watchers"]}, {"getIssue", "getIssueWatchers"}),
    ("jira_get_issues_bulk", {"issue_keys": ["PROJ-4", "PROJ-5"]}, {"bulkFetchIssues"}),
    ("jira_summarize_issue", {"issue_key": "PROJ-4"}, {"getIssue", "getRemoteIssueLinks"}),
    ("jira_update_issue", {"issue_key": "PROJ-4", "fields": {"summary": "Eins"}}, {"editIssue"}),
    ("jira_assign_issue", {"issue_key": "PROJ-4", "account_id": "me"}, {"assignIssue"}),
    ("jira_get_changelog", {"issue_key": "PROJ-4"}, {"getChangeLogs"}),
    ("jira_get_transitions", {"issue_key": "PROJ-4"}, {"getTransitions"}),
    ("jira_transition_issue", {"issue_key": "PROJ-4", "transition": "Done"}, {"getTransitions", "doTransition"}),
    ("jira_add_comment", {"issue_key": "PROJ-4", "comment": "Hello"}, {"addComment"}),
    ("jira_get_comments", {"issue_key": "PROJ-4"}, {"getComments"}),
    ("jira_update_comment", {"issue_key": "PROJ-4", "comment_id": "?jira_add_comment", "comment": "Hi"}, {"updateComment"}),
    ("jira_delete_comment", {"issue_key": "PROJ-4", "comment_id": "?jira_add_comment"}, {"deleteComment"}),
    ("jira_get_link_types", {}, {"getIssueLinkTypes"}),
    ("jira_link_issues", {"inward_issue": "PROJ-4", "outward_issue": "PROJ-5"}, {"linkIssues"}),
    ("jira_unlink_issues", {"issue_key": "PROJ-4", "link_id": "?link"}, {"getIssueLink", "deleteIssueLink"}),
    (
        "jira_add_remote_link", {"issue_key": "PROJ-4", "url": "https://x.example", "title": "X"},
        {"createOrUpdateRemoteIssueLink"},
    ),
    ("jira_get_remote_links", {"issue_key": "PROJ-4"}, {"getRemoteIssueLinks"}),
    ("jira_extract_confluence_links", {"issue_key": "PROJ-4"}, {"getIssue", "getRemoteIssueLinks"}),
    ("jira_add_attachment", {"issue_key": "PROJ-4", "filename": "a.txt", "text": "a"}, {"addAttachment"}),
    ("jira_list_attachments", {"issue_key": "PROJ-4"}, {"getIssue"}),
    ("jira_get_attachment", {"attachment_id": "?jira_add_attachment"}, {"getAttachment", "getAttachmentContent"}),
    ("jira_delete_attachment", {"attachment_id": "?jira_add_attachment"}, {"getAttachment", "removeAttachment"}),
    ("jira_add_watcher", {"issue_key": "PROJ-4"}, {"addWatcher"}),
    ("jira_get_watchers", {"issue_key": "PROJ-4"}, {"getIssueWatchers"}),
    ("jira_remove_watcher", {"issue_key": "PROJ-4", "account_id": "me"}, {"removeWatcher"}),
    ("jira_add_worklog", {"issue_key": "PROJ-4", "time_spent": "1h"}, {"addWorklog"}),
    ("jira_get_worklogs", {"issue_key": "PROJ-4"}, {"getIssueWorklog"}),
    ("jira_search_users", {"query": "ada"}, {"findUsers"}),
    ("jira_search_users", {"query": "ada", "project_key": "PROJ"}, {"findAssignableUsers"}),
    ("jira_get_boards", {}, {"getAllBoards"}),
    ("jira_get_board_configuration", {"board_id": 1}, {"getConfiguration"}),
    ("jira_get_board_sprints", {"board_id": 1}, {"getAllSprints"}),
    ("jira_get_active_sprints", {"board_id": 1}, {"getAllSprints"}),
    ("jira_get_sprint_issues", {"sprint_id": 2}, {"searchAndReconsileIssuesUsingJqlPost"}),
    ("jira_create_sprint", {"board_id": 1, "name": "Sprint 4"}, {"createSprint"}),
    ("jira_update_sprint", {"sprint_id": 3, "goal": "Ship"}, {"getSprint", "partiallyUpdateSprint"}),
    ("jira_add_to_sprint", {"sprint_id": 3, "issue_keys": ["PROJ-5"]}, {"moveIssuesToSprintAndRank"}),
    (
        "jira_add_issue_to_active_sprint", {"issue_key": "PROJ-5"},
        {"getAllBoards", "getAllSprints", "moveIssuesToSprintAndRank"},
    ),
    ("jira_get_daily_standup_summary", {"board_id": 1}, {"searchAndReconsileIssuesUsingJqlPost"}),
    ("jira_move_to_backlog", {"issue_keys": ["PROJ-5"]}, {"moveIssuesToBacklog"}),
    (
        "jira_get_task_assignment_recommendations", {"issue_key": "PROJ-5"},
        {"getIssue", "searchAndReconsileIssuesUsingJqlPost"},
    ),
    (
        "jira_estimate_story_points", {"issue_key": "PROJ-5"},
        {"getIssue", "searchAndReconsileIssuesUsingJqlPost"},
    ),
    ("jira_delete_issue", {"issue_key": "PROJ-5"}, {"deleteIssue"}),
]  # fmt: skip


def test_no_tool_is_left_out():
    assert {name for name, _, _ in CALLS} == set(Connector.tools)


def prepare(jira: Any, tool: str, made: dict[str, str]) -> None:
    """What the next call finds at Jira: a link's number, a finished issue with points."""
    if tool == "jira_estimate_story_points":
        jira.issue_by("PROJ-4").update({"customfield_10016": 3, "issuetype": "10001"})
    if tool == "jira_unlink_issues":
        made["link"] = next(iter(jira.links))


def arguments_of(arguments: dict[str, Any], made: dict[str, str], projects: list[str]) -> dict[str, Any]:
    """The arguments with what earlier calls made. Jira does not tell whose a file is, so a list of projects asks."""
    given = {
        name: made[value[1:]] if isinstance(value, str) and value.startswith("?") else value
        for name, value in arguments.items()
    }
    return given | ({"issue_key": "PROJ-4"} if projects and "attachment_id" in given else {})


@pytest.mark.parametrize("projects", [[], ["PROJ"]], ids=["all", "some"])
async def test_every_tool_sends_what_jiras_documents_have(desk, jira, projects):
    """Also where the connection reaches some projects only, and more is asked of the system."""
    call = await desk(projects=projects)
    made: dict[str, str] = {}
    for tool, arguments, operations in CALLS:
        prepare(jira, tool, made)
        before = len(jira.operations)
        raw = await call.raw(tool, **arguments_of(arguments, made, projects))
        assert not raw["isError"], (tool, raw["content"])
        sent = {hit.operation for hit in jira.operations[before:]}
        assert operations - ({"getAttachment"} if projects else set()) <= sent, (tool, sent)
        if tool in ("jira_add_comment", "jira_add_attachment"):
            made[tool] = raw["structuredContent"]["id"]
