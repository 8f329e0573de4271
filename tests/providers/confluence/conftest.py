"""A tenant with a Confluence connection to a double, called through the endpoint."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from common.db import in_db
from connectors.providers.confluence.connector import Confluence as Connector
from connectors.services import credential_set, switch_set
from connectors.upstream import retry
from tests.doubles.confluence import Confluence
from tests.doubles.confluence.data_center import DataCenter
from tests.doubles.fixtures import double_fixture
from tests.factories import SYSTEM, make_connection
from tests.mcp_endpoint.speak import Place, by_door, make_place, modern

confluence = double_fixture(Confluence, check_answers=True)
server = double_fixture(DataCenter)
ADA = {"method": "api_token", "email": "ada@example.com", "token": "sandbox-confluence-token"}
PAT = {"method": "personal_access_token", "token": "sandbox-pat"}
PASSWORD = {"method": "password", "email": "ada", "token": "sandbox-password"}
BO = {"method": "api_token", "email": "bo@example.com", "token": "sandbox-confluence-reader"}


@pytest.fixture(autouse=True)
def sandbox(settings, monkeypatch) -> None:
    settings.PORTICO_SANDBOX = True
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.005)


@dataclass
class Desk:
    """Who calls: a place and its connection."""

    place: Place
    connection: Any

    async def raw(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The whole result of a call."""
        answer = await by_door(modern(self.place, "tools/call", {"name": tool, "arguments": arguments}))
        return answer.result

    async def __call__(self, tool: str, **arguments: Any) -> Any:
        """What a tool answered, or its error."""
        got = await self.raw(tool, **arguments)
        return got.get("structuredContent") or json.loads(got["content"][0]["text"])


def _desk(url: str, values: dict[str, Any], options: dict[str, Any]) -> Desk:
    place = make_place("operator", ())
    connection = make_connection(
        place.tenant, "confluence", settings={"site": url, **options}, credential_mode="shared"
    )
    credential_set(connection=connection, values=values, actor=SYSTEM)
    for toolset in sorted({spec.toolset for spec in Connector.tools.values()}):
        switch_set(connection, toolset=toolset, enabled=True, actor=SYSTEM)
    return Desk(place, connection)


@pytest.fixture
def desk(confluence):
    """Make a desk: ``await desk()`` for Ada, ``await desk(BO, spaces=["DOCS"])`` for another."""

    async def making(values: dict[str, Any] = ADA, **options: Any) -> Desk:
        return await in_db(_desk, confluence.url, values, options)

    return making


@pytest.fixture
async def call(desk):
    return await desk()


@pytest.fixture
async def fenced(desk):
    """A connection that reaches DOCS alone."""
    return await desk(spaces=["DOCS"])


@pytest.fixture
def pages(confluence):
    """The double's pages by title."""
    return lambda title: next(row for row in confluence.pages.values() if row["title"] == title)


@pytest.fixture
def at_server(server):
    """As ``desk``, for a Data Center that Ada signs in to with a personal access token."""

    async def making(values: dict[str, Any] = PAT, **options: Any) -> Desk:
        return await in_db(_desk, f"{server.url}{server.context}", values, options)

    return making


@pytest.fixture
async def there(at_server):
    return await at_server()
