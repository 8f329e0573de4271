"""One story over all systems, as docs/story.md tells it: from a goal to the customer who hears of it.

The official client speaks to a real server with the tools that a new connection has, and takes
every id from an answer before, as a model would.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import mcp
import pytest

from common.db import in_db
from tests.doubles.catalogue import DOUBLES
from tests.doubles.double import Double
from tests.doubles.exercised import keep
from tests.doubles.running import serving_in_thread
from tests.e2e.running import Place, connected
from tests.factories import make_key, make_service_account, make_tenant, unique
from tests.live import ROOT, Live

pytestmark = pytest.mark.e2e
CREDENTIALS: dict[str, dict[str, str]] = {
    "jira": {"method": "api_token", "email": "ada@example.com", "token": "sandbox-jira-token"},
    "confluence": {"method": "api_token", "email": "ada@example.com", "token": "sandbox-confluence-token"},
    "github": {"method": "classic", "token": "sandbox-github-token"},
    "salesforce": {
        "method": "client_credentials",
        "client_id": "sandbox-client-id",
        "client_secret": "sandbox-client-secret",
    },
}
PAGE = ROOT / "docs" / "story.md"
ADDRESS = {"jira": "site", "confluence": "site", "github": "url", "salesforce": "url"}
SUBTASKS = [
    {"id": "research", "description": "Ask Acme which exports they need", "estimate": "2h"},
    {"id": "backend", "description": "Write the export", "dependencies": ["research"], "estimate": "2d"},
    {"id": "frontend", "description": "Add the button", "dependencies": ["research"], "estimate": "1d"},
    {"id": "release", "description": "Release it", "dependencies": ["backend", "frontend"], "estimate": "1h"},
]


@pytest.fixture
def server(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    live = Live(tmp_path_factory.mktemp("story"), workers=1, PORTICO_SANDBOX="true")
    yield live
    live.stop()


@pytest.fixture
def doubles() -> Iterator[dict[str, Double]]:
    """The four systems, which hold every request against the vendors' documents."""
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(serving_in_thread(DOUBLES[name].kind(check_answers=True)))
            for name in ADDRESS
        }
        yield running
    for double in running.values():
        keep(double)
        double.verify()


class House:
    """A tenant of the running server, whose owner and agent have a key each."""

    def __init__(self, server: Live, agent: str) -> None:
        self.base = f"http://127.0.0.1:{server.port}"
        self.tenant = make_tenant(name=unique("Vendor of Acme "))
        self.agent = make_service_account(self.tenant, "operator")
        self.key, secret = make_key(self.tenant, principal=self.agent, name=agent)
        self.place = Place(self.tenant.slug, f"{self.base}/t/{self.tenant.slug}/mcp", secret)
        self.owner = make_key(self.tenant, "owner")[1]

    async def api(self, method: str, path: str, **options: Any) -> Any:
        """The owner's call of the REST API below the tenant."""
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {self.owner}"}, timeout=30) as http:
            url = f"{self.base}/api/v1/tenants/{self.tenant.slug}{path}"
            answer = await http.request(method, url, **options)
        assert answer.is_success, answer.text
        return answer.json()

    async def connect(self, doubles: dict[str, Double]) -> None:
        """Add goals and the four systems, and test each as an admin does."""
        await self.api("PUT", "/connections/goals", json={"connector": "goals"})
        for name, double in doubles.items():
            body = {
                "connector": name,
                "settings": {ADDRESS[name]: double.url},
                "credential_mode": "shared",
                "credential": CREDENTIALS[name],
            }
            await self.api("PUT", f"/connections/{name}", json=body)
            said = await self.api("POST", f"/connections/{name}/check")
            assert said["ok"], said


class Model:
    """Calls tools one after another, and keeps their names."""

    def __init__(self, client: mcp.Client) -> None:
        self.client, self.called = client, list[str]()

    async def __call__(self, tool: str, **arguments: Any) -> Any:
        self.called.append(tool)
        answer = await self.client.call_tool(tool, arguments)
        assert not answer.is_error, (tool, answer.content)
        return answer.structured_content


async def test_a_goal_becomes_issues_a_branch_a_page_and_a_logged_call(server, doubles) -> None:
    house, stranger = await in_db(lambda: (House(server, "Release agent"), House(server, "Stranger")))
    await house.connect(doubles)
    await stranger.connect(doubles)
    async with connected(house.place) as client:
        model = Model(client)
        told = await the_story(model)
    page = re.findall(r"[Cc]alls `(\w+)`", PAGE.read_text())
    assert page == list(dict.fromkeys(model.called)), "docs/story.md tells it in another order"
    await shown_in_the_systems(told, doubles)
    await found_in_the_audit(house, model.called, told)
    await hidden_from(stranger, told)


async def the_story(call: Model) -> dict[str, Any]:
    """From the goal to the logged call; what was made, by what it is."""
    goal = await call("create_goal", description="Acme can export their orders", priority="high")
    made = await call("break_down_goal", goal_id=goal["id"], subtasks=SUBTASKS)
    assert list(made["ids"]) == ["research", "backend", "frontend", "release"]
    plan = await call("generate_execution_plan", goal_id=goal["id"])
    assert [len(phase["tasks"]) for phase in plan["phases"]] == [1, 2, 1]

    keys = {}
    for phase in plan["phases"]:
        for task in phase["tasks"]:
            issue = await call(
                "jira_create_issue", project_key="PROJ", issue_type="Task", summary=task["title"],
                description=f"{task['id']} of **{goal['id']}**, phase {phase['phase']} of {plan['total_phases']}",
            )  # fmt: skip
            placed = await call("jira_add_issue_to_active_sprint", issue_key=issue["key"])
            assert placed["sprint"]["state"] == "active"
            await call(
                "link_task", task_id=task["id"], system="jira", external_id=issue["key"], url=issue["url"]
            )
            keys[task["id"]] = issue["key"]

    [repository] = (await call("github_search_repositories", query="hello-world"))["items"]
    name = f"{keys[made['ids']['backend']]}-export-orders"
    branch = await call("github_create_branch", repo=repository["repo"], branch_name=name)

    text = (await call("export_goal", goal_id=goal["id"]))["text"]
    assert all(key in text for key in keys.values()), "the plan does not name its issues"
    page = await call(
        "confluence_create_page", space_key="DOCS", title=f"{goal['id']}: exporting orders",
        content=f"{text}\n\nBranch: `{branch['name']}`",
    )  # fmt: skip

    [acme] = (await call("salesforce_query_accounts", name_contains="Acme"))["items"]
    logged = await call(
        "salesforce_create_activity", subject="Export of orders is planned", related_to=acme["Id"],
        description=f"{page['url']} ({', '.join(keys.values())})", status="Completed",
    )  # fmt: skip
    first = plan["phases"][0]["tasks"][0]["id"]
    await call("update_task_status", task_id=first, status="in_progress")
    await call("update_task_status", task_id=first, status="completed", result=logged["url"])
    after = await call("get_goal", goal_id=goal["id"])
    assert after["status"] == "in_progress" and after["progress"]["completed"] == 1
    return {"goal": goal["id"], "keys": list(keys.values()), "branch": name, "page": page["id"],
            "activity": logged["id"], "account": acme["Id"]}  # fmt: skip


async def shown_in_the_systems(told: dict[str, Any], doubles: dict[str, Any]) -> None:
    jira = {row["key"]: row for row in doubles["jira"].issues.values()}
    sprints = {jira[key]["sprint"] for key in told["keys"]}
    assert len(sprints) == 1 and doubles["jira"].sprints[sprints.pop()]["state"] == "active"
    operations = [hit.operation for hit in doubles["github"].operations if hit.status < 300]
    assert "git/create-ref" in operations
    page = doubles["confluence"].pages[told["page"]]
    assert all(key in str(page) for key in (*told["keys"], told["branch"], "ac:task-list"))
    activity = doubles["salesforce"].rows["Task"][told["activity"]]
    assert activity["WhatId"] == told["account"] and activity["Status"] == "Completed"


async def found_in_the_audit(house: House, called: list[str], told: dict[str, Any]) -> None:
    """Every call of the story, in its order, with who made it, with which key, and what came of it."""
    keys = {row["id"]: row for row in (await house.api("GET", "/access-keys"))["results"]}
    key = next(row for row in keys.values() if row["name"] == "Release agent")
    found = (await house.api("GET", f"/audit?kind=call&key_id={key['id']}&page_size=500"))["results"]
    done = [row for row in reversed(found) if row["phase"] == "done"]
    assert [row["name"] for row in done] == called
    assert {row["outcome"] for row in done} == {"ok"}
    assert {row["principal_name"] for row in done} == {house.agent.name} == {key["principal"]["name"]}
    assert {row["client_name"] for row in done} == {"mcp"}
    assert {row["connection"] for row in done} == {"goals", *ADDRESS}
    assert (await house.api("GET", ""))["name"] == house.tenant.name
    searched = await house.api("GET", f"/audit?kind=call&search={house.agent.name}&page_size=500")
    assert searched["results"] == found
    assert told["branch"] in next(row["arguments"] for row in done if row["name"] == "github_create_branch")
    attempts = {row["call_id"] for row in found if row["phase"] == "attempt"}
    writes = {"jira_create_issue", "github_create_branch", "confluence_create_page", "salesforce_create_activity"}  # fmt: skip
    assert {row["call_id"] for row in done if row["name"] in writes} <= attempts
    everything = str(await house.api("GET", "/audit?page_size=1000"))
    assert not any(
        value in everything for one in CREDENTIALS.values() for value in one.values() if "sandbox" in value
    )


async def hidden_from(stranger: House, told: dict[str, Any]) -> None:
    """Another tenant of the same systems has neither the goal nor a word of it in its audit."""
    async with connected(stranger.place) as client:
        goals = (await client.call_tool("list_goals", {})).structured_content
        assert goals["items"] == []
        asked = await client.call_tool("get_goal", {"goal_id": told["goal"]})
        assert asked.is_error and "There is no goal" in asked.content[0].text
    events = (await stranger.api("GET", "/audit?page_size=1000"))["results"]
    names = {row["name"] for row in events if row["kind"] == "call"}
    assert names == {"list_goals", "get_goal"}
    words = [*told["keys"], told["branch"], told["activity"], "Release agent"]
    assert not any(word in str(events) for word in words)
