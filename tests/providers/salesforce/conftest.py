"""Calls of the Salesforce connector's tools against its double, through the whole pipeline."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from common.db import in_db
from connectors.call_info import CallInfo
from connectors.pipeline import call_tool
from connectors.services import connection_check, credential_set, switch_set
from connectors.upstream import retry
from tests.doubles.fixtures import double_fixture
from tests.doubles.salesforce import Salesforce
from tests.factories import SYSTEM, make_caller, make_connection, make_tenant

salesforce = double_fixture(Salesforce)
APP = {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"}
SESSION = {"method": "access_token", "access_token": "sandbox-salesforce-session"}
PASSWORD = {"method": "password", "username": "ada@example.com", "password": "sandbox-password", "security_token": "sandbox-security-token"}  # fmt: skip
TOOLSETS = ("core", "write", "delete", "bulk", "admin")


@pytest.fixture(autouse=True)
def sandbox(settings, monkeypatch) -> None:
    settings.PORTICO_SANDBOX = True
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.005)


@dataclass
class Org:
    """A tenant with a connection to the double, and somebody who calls."""

    double: Salesforce
    connection: Any
    caller: Any

    async def call(self, tool: str, **arguments: Any) -> Any:
        """A call's result, whatever it is."""
        return await call_tool(self.caller, f"salesforce_{tool}", arguments, info=CallInfo("r1"))

    async def get(self, tool: str, **arguments: Any) -> Any:
        """The answer of a call, which must be good."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.content
        return result.structured

    async def fail(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The error of a call, which must fail."""
        result = await self.call(tool, **arguments)
        assert result.is_error, result.structured
        error: dict[str, Any] = json.loads(result.content[0].text)
        return error

    async def check(self) -> Any:
        return await connection_check(self.connection)

    @property
    def asked(self) -> list[str]:
        """The operations that the double met, in order."""
        return [hit.operation for hit in self.double.operations]


def _org(double: Salesforce, credential: dict[str, Any], *, cached: bool = False, **settings: Any) -> Org:
    tenant = make_tenant()
    connection = make_connection(
        tenant, "salesforce", settings={"url": double.url} | settings, credential_mode="shared",
        cache={"enabled": cached},
    )  # fmt: skip
    credential_set(connection=connection, values=credential, actor=SYSTEM)
    for toolset in TOOLSETS:
        switch_set(connection=connection, toolset=toolset, enabled=True, actor=SYSTEM)
    return Org(double, connection, make_caller(tenant))


@pytest.fixture
def org_with(salesforce):
    """Makes an org's connection with a credential and settings; all its tools are on."""

    async def making(credential: dict[str, Any] = SESSION, *, cached: bool = False, **settings: Any) -> Org:
        return await in_db(lambda: _org(salesforce, credential, cached=cached, **settings))

    return making


@pytest.fixture
async def org(org_with):
    return await org_with()
