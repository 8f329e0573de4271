"""A tenant with a connection to the double of Jira, and calls through the endpoint."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from common.db import in_db
from connectors.registry import connector_class
from connectors.services import credential_set, switch_set
from connectors.upstream import retry
from tests.doubles.fixtures import double_fixture
from tests.doubles.jira import Jira, records
from tests.factories import SYSTEM, make_connection
from tests.mcp_endpoint.speak import by_door, make_place, modern

ADA = {"email": "ada@example.com", "token": "sandbox-jira-token"}
BO = {"email": "bo@example.com", "token": "sandbox-jira-reader"}
jira = double_fixture(Jira, check_answers=True)


@dataclass
class Desk:
    """Calls of a tenant's tools; ``calls`` gives what the tool answered, ``raw`` the whole result."""

    place: Any
    connection: Any

    async def raw(self, tool: str, **arguments: Any) -> Any:
        answer = await by_door(modern(self.place, "tools/call", {"name": tool, "arguments": arguments}))
        return answer.result

    async def __call__(self, tool: str, **arguments: Any) -> Any:
        got = await self.raw(tool, **arguments)
        return got.get("structuredContent") or json.loads(got["content"][0]["text"])


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch) -> None:
    settings.PORTICO_SANDBOX = True
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.005)


@pytest.fixture
def desk(jira):
    """Make a desk: ``await desk(projects=["PROJ"])``; its credential is Ada's unless one is given."""

    async def make(credential: dict[str, Any] | None = None, site: str = "", **settings: Any) -> Desk:
        return await in_db(_desk, site or jira.url, credential or ADA, settings)

    return make


@pytest.fixture
def steps(jira, monkeypatch) -> str:
    """The id of a field with texts of several lines, which this installation has added: "Steps"."""
    id = "customfield_10030"
    whole = jira.all_fields
    monkeypatch.setitem(records.FIELDS, id, ("Steps", "string", "textarea"))
    monkeypatch.setattr(records, "SETTABLE", {*records.SETTABLE, id})
    monkeypatch.setattr(jira, "all_fields", lambda base, row: whole(base, row) | {id: row.get(id)})
    return id


@pytest.fixture
async def call(desk):
    """Ada's calls without an allow-list."""
    return await desk()


def _desk(url: str, credential: dict[str, Any], settings: dict[str, Any]) -> Desk:
    place = make_place("operator", ())
    connection = make_connection(
        place.tenant, "jira", settings={"site": url, **settings}, credential_mode="shared"
    )
    credential_set(connection=connection, values=credential, actor=SYSTEM)
    for name, spec in connector_class("jira").tools.items():
        if not spec.default_on:
            switch_set(connection, tool=name, enabled=True, actor=SYSTEM)
    return Desk(place, connection)
