"""What the connector costs a model: its list of tools, and its answers beside Jira's own."""

import json

import httpx2

from connectors.atlassian.markdown import to_adf
from connectors.providers.jira.connector import Jira as Connector
from mcp_endpoint.token_cost import tool_tokens

TOOLSETS = {"core", "issues", "comments", "links", "attachments", "agile", "projects", "users", "worklog", "delete",
            "bulk", "admin"}  # fmt: skip
WRITING = {"create", "update", "delete", "add", "remove", "link", "unlink", "assign", "transition", "move"}
TEXT = "Choose a **supplier**, then save.\n\n- It breaks\n- It should not"


def test_a_new_connection_lists_at_most_20_tools_of_6000_tokens():
    listed = {name: spec for name, spec in Connector.tools.items() if spec.default_on}
    assert len(listed) <= 20
    assert sum(tool_tokens(name, spec) for name, spec in listed.items()) <= 6_000


def test_each_tools_hints_say_what_it_does():
    for name, spec in Connector.tools.items():
        assert spec.hints.open_world, name
        assert spec.toolset in TOOLSETS, name
        assert not (spec.default_on and spec.toolset in ("delete", "bulk", "admin")), name
        assert (spec.toolset == "delete") == (spec.hint == "DI"), name


async def test_answers_are_at_most_half_of_jiras_own(call, jira):
    for number in range(24):
        values = {"summary": f"Order {number}", "issuetype": "10001", "reporter": next(iter(jira.people))}
        row = jira.make(jira.projects["PROJ"], values)
        row["description"] = to_adf(TEXT)
    for number in range(5):
        jira.attach(jira.issue_by("PROJ-1"), f"{number}.txt", b"x", "text/plain")
    fields = "summary,status,issuetype,priority,assignee,updated,labels,parent"
    found = f"/rest/api/3/search/jql?jql=project+%3D+PROJ&fields={fields}&maxResults="
    shares = {}
    async with httpx2.AsyncClient(
        base_url=jira.url, auth=("ada@example.com", "sandbox-jira-token")
    ) as client:
        for tool, arguments, path in (
            ("jira_search_issues", {"jql": "project = PROJ", "max_results": 10}, f"{found}10"),
            ("jira_search_issues", {"jql": "project = PROJ", "max_results": 25}, f"{found}25"),
            ("jira_get_issue", {"issue_key": "PROJ-5"}, "/rest/api/3/issue/PROJ-5"),
            ("jira_list_attachments", {"issue_key": "PROJ-1"}, "/rest/api/3/issue/PROJ-1?fields=attachment"),
        ):
            answer, raw = await call(tool, **arguments), (await client.get(path)).content
            shares[f"{tool} {arguments}"] = len(json.dumps(answer, separators=(",", ":"))) / len(raw)
    assert max(shares.values()) <= 0.5, shares
