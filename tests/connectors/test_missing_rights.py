"""Tools that a connection's credential may not use: hidden once a test found it, and back once it may."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from pydantic import BaseModel, SecretStr

from audit.models import AuditEvent
from common.db import in_db
from connectors.base import CheckResult, Connector, Context, tool
from connectors.errors import ConnectionFailed
from connectors.health.lacking import LONGEST, MOST, lacking
from connectors.health.probing import due_probes, probe
from connectors.health.recording import record_check
from connectors.models import Connection, HealthCheck
from connectors.pipeline import UnknownTool, call_tool, catalogue
from connectors.services import (
    connection_check,
    connection_update,
    credential_delete,
    credential_set,
    switch_set,
)
from connectors.services.checks import examine
from tenants.services import tenant_update
from tests.admin.conftest import sign_in, url
from tests.api.test_api import client
from tests.factories import SYSTEM, make_caller, make_connection, make_key, make_member, make_tenant
from tests.mcp_endpoint.listening import TOOLS, listening
from tests.mcp_endpoint.speak import Place

ENTRY = "scoped=tests.connectors.test_missing_rights:Scoped"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)

TOLD: dict[uuid.UUID, Any] = {}  # what the check of a connection says is hidden, or raises
NOTES = {"scoped_note": "notes:write"}
ALL = {"scoped_read", "scoped_note", "scoped_wipe"}


class Scoped(Connector):
    slug = "scoped"
    title = "Scoped"
    description = "For tests: its credential lacks what the test says."

    class Settings(BaseModel):
        project: str = ""

    class Credentials(BaseModel):
        token: SecretStr

    async def check(self, ctx: Context) -> CheckResult:
        told = TOLD.get(self.connection.id)
        if isinstance(told, Exception):
            raise told
        return CheckResult(True, "Signed in.", {} if told is None else {"hidden_tools": told})

    @tool(title="Read", hint="R", open_world=True)
    async def scoped_read(self, ctx: Context) -> dict[str, Any]:
        """Read."""
        return {"read": True}

    @tool(title="Note", hint="W", open_world=True, aliases=("scoped-note",))
    async def scoped_note(self, ctx: Context) -> dict[str, Any]:
        """Note."""
        return {"noted": True}

    @tool(title="Wipe", hint="DI", toolset="delete", open_world=True)
    async def scoped_wipe(self, ctx: Context) -> dict[str, Any]:
        """Wipe."""
        return {"wiped": True}


def connected(tenant=None, **fields):
    fields = {"credential": {"token": "first-token"}, **fields}
    return make_connection(tenant or make_tenant(), "scoped", **fields)


def now(connection):
    return Connection.objects.for_tenant(connection.tenant_id).get(pk=connection.pk)


async def found_by_test(connection, told):
    """Test the connection, whose system says this; what is hidden then."""
    TOLD[connection.pk] = told
    await connection_check(await in_db(now, connection))
    return (await in_db(now, connection)).hidden_tools


async def listed(caller):
    return {entry.name for entry in (await catalogue(caller)).listed}


@pytest.mark.parametrize(
    ("told", "hidden"),
    [
        ({"scoped_note": "notes:write"}, NOTES),
        ({"scoped_note": ["notes:write", "notes"], "scoped_wipe": ""}, {"scoped_note": "notes:write, notes", "scoped_wipe": ""}),
        (["scoped_note", "scoped_note"], {"scoped_note": ""}),
        ({"scoped-note": "an alias", "elsewhere": "x", 3: "y"}, {}),
        (["elsewhere", 7, None, ["scoped_note"]], {}),
        ("scoped_note", {}),
        (None, {}),
        (7, {}),
        ({"scoped_note": "n" * 999}, {"scoped_note": "n" * LONGEST}),
        ({"scoped_note": {"right": 1}}, {"scoped_note": "{'right': 1}"}),
    ],
)  # fmt: skip
def test_what_a_test_tells_is_read_whatever_it_is(told, hidden):
    found = lacking(Scoped, {"hidden_tools": told})
    assert {name: len(text) for name, text in found.items()} == {n: len(t) for n, t in hidden.items()}
    assert lacking(Scoped, {}) == {}
    if told != {"scoped_note": "n" * 999}:
        assert found == hidden


def test_what_is_kept_is_bounded_by_the_connectors_own_tools():
    many = type("Many", (Connector,), {"slug": "many", "title": "Many", "description": "Many."})
    many.tools = {f"many_{number}": None for number in range(MOST + 50)}
    assert len(lacking(many, {"hidden_tools": [*many.tools, *(f"other_{n}" for n in range(9999))]})) == MOST


async def test_a_tool_without_its_right_is_not_listed_and_a_call_says_which_right():
    connection = await in_db(connected)
    caller = await in_db(make_caller, connection.tenant)
    assert await listed(caller) == ALL
    assert await found_by_test(connection, NOTES) == NOTES
    assert await listed(caller) == ALL - set(NOTES)
    for name in ("scoped_note", "scoped-note"):
        answer = await call_tool(caller, name, {})
        assert answer.is_error
        said = json.loads(answer.content[0].text)
        assert said["type"] == "permission" and said["code"] == "missing_right" and not said["retryable"]
        assert said["missing_right"] == "notes:write" and "notes:write" in said["error"]
        assert "admin" in said["hint"] and "test the connection again" in said["hint"]
    rows = AuditEvent.objects.for_tenant(connection.tenant_id).filter(name="scoped_note")
    told = await in_db(lambda: list(rows.values_list("outcome", "connection")))
    assert told == [("denied", "scoped")] * 2
    assert (await call_tool(caller, "scoped_read", {})).structured == {"read": True}


async def test_only_a_good_test_changes_what_is_hidden():
    connection = await in_db(connected)
    caller = await in_db(make_caller, connection.tenant)
    await found_by_test(connection, NOTES)
    assert await found_by_test(connection, ConnectionFailed("No route.")) == NOTES
    assert await found_by_test(connection, ["scoped_wipe"]) == {"scoped_wipe": ""}
    answer = await call_tool(caller, "scoped_wipe", {})
    assert "lacks a right" in json.loads(answer.content[0].text)["error"]
    assert await found_by_test(connection, None) == {}
    assert await listed(caller) == ALL
    rows = AuditEvent.objects.for_tenant(connection.tenant_id).filter(name="connection.hidden_tools scoped")
    changes = await in_db(lambda: list(rows.order_by("seq").values_list("principal_name", "outcome")))
    assert len(changes) == 3, "each change is in the audit, and nothing else"


async def test_a_health_probe_finds_it_as_well():
    connection = await in_db(connected)
    TOLD[connection.pk] = NOTES

    def claim():
        found = due_probes(timezone.now() + timedelta(seconds=1), 10_000)
        return next(due for due in found if due.connection_id == connection.pk)

    due = await in_db(claim)
    await probe(due.tenant_id, due.connection_id, due.slot)
    assert (await in_db(now, connection)).hidden_tools == NOTES


async def test_another_credential_and_other_settings_clear_it_and_a_new_name_does_not():
    connection = await in_db(connected)
    changes = {
        "a credential": lambda row: credential_set(row, {"token": "second-token"}, actor=SYSTEM),
        "none": lambda row: credential_delete(row, actor=SYSTEM),
        "settings": lambda row: connection_update(row, actor=SYSTEM, settings={"project": "B"}),
        "the network": lambda row: connection_update(row, actor=SYSTEM, network={"read_s": 7}),
        "callers' tokens": lambda row: connection_update(row, actor=SYSTEM, caller_token=True),
    }
    for what, change in changes.items():
        assert await found_by_test(connection, NOTES) == NOTES, what
        row = await in_db(now, connection)
        await in_db(connection_update, row, actor=SYSTEM, name=f"Before {what}", probe_minutes=9)
        assert (await in_db(now, connection)).hidden_tools == NOTES, what
        await in_db(change, await in_db(now, connection))
        assert (await in_db(now, connection)).hidden_tools == {}, what


async def test_what_was_found_with_a_former_credential_is_not_kept():
    connection = await in_db(connected)
    TOLD[connection.pk] = NOTES
    late = await examine(await in_db(now, connection))
    await in_db(lambda: credential_set(now(connection), {"token": "second-token"}, actor=SYSTEM))
    await in_db(record_check, connection.tenant_id, connection.pk, late)
    assert (await in_db(now, connection)).hidden_tools == {}


async def test_where_callers_have_credentials_of_their_own_one_test_hides_nothing():
    brought = await in_db(lambda: connected(caller_token=True))
    personal = await in_db(lambda: connected(credential_mode="principal"))
    for connection in (brought, personal):
        assert await found_by_test(connection, NOTES) == {}


async def test_who_may_not_use_the_tool_anyway_learns_nothing_of_it():
    connection = await in_db(connected)
    await found_by_test(connection, NOTES)
    others = [
        await in_db(make_caller, connection.tenant, "viewer"),
        await in_db(lambda: make_caller(connection.tenant, read_only=True)),
        await in_db(lambda: make_caller(connection.tenant, deny=["scoped:scoped_note"])),
    ]
    for caller in others:
        with pytest.raises(UnknownTool):
            await call_tool(caller, "scoped_note", {})
    caller = await in_db(make_caller, connection.tenant)
    await in_db(lambda: switch_set(now(connection), actor=SYSTEM, tool="scoped_note", enabled=False))
    with pytest.raises(UnknownTool):
        await call_tool(caller, "scoped_note", {})


async def test_a_tenants_missing_right_is_not_its_neighbours():
    mine, theirs = await in_db(connected), await in_db(connected)
    second = await in_db(lambda: connected(mine.tenant, slug="again"))
    me, them = [await in_db(make_caller, row.tenant) for row in (mine, theirs)]
    await found_by_test(theirs, {})
    await found_by_test(mine, NOTES)
    assert await listed(them) == ALL
    assert (await call_tool(them, "scoped_note", {})).structured == {"noted": True}
    # nor of another connection of its own tenant
    assert await listed(me) == ALL - set(NOTES) | {f"again__{name}" for name in ALL}
    assert (await call_tool(me, "again__scoped_note", {})).structured == {"noted": True}
    # a finding is written to its own tenant's connection alone, whoever hands it in
    await in_db(record_check, theirs.tenant_id, second.pk, await examine(mine))
    assert not any([(await in_db(now, row)).hidden_tools for row in (theirs, second)])
    checks = HealthCheck.objects.for_tenant(theirs.tenant_id).filter(connection_id=second.pk)
    assert not await in_db(checks.exists)


async def test_who_searches_for_tools_does_not_find_it_and_is_told_why_when_calling_it():
    connection = await in_db(connected)
    caller = await in_db(make_caller, connection.tenant)
    await in_db(tenant_update, tenant=connection.tenant, deferred_tools=True, actor=SYSTEM)
    await found_by_test(connection, NOTES)
    found = await call_tool(caller, "platform_search_tools", {"query": "note"})
    assert "scoped_note" not in str(found.structured)
    answer = await call_tool(caller, "platform_call_tool", {"name": "scoped_note", "arguments": {}})
    assert json.loads(answer.content[0].text)["code"] == "missing_right"


async def test_listeners_are_told_that_the_list_changed():
    connection = await in_db(connected)
    elsewhere = await in_db(connected)
    keys = [await in_db(make_key, row.tenant) for row in (connection, elsewhere)]
    stream, other = [
        await listening(Place(row.tenant, key[1], key[0]))
        for row, key in zip((connection, elsewhere), keys, strict=True)
    ]
    await found_by_test(connection, NOTES)
    assert await stream.method() == TOOLS
    await found_by_test(connection, NOTES)  # found again: nothing changed
    await found_by_test(elsewhere, ["scoped_wipe"])
    assert await other.method() == TOOLS
    await found_by_test(connection, None)
    assert await stream.method() == TOOLS
    for each in (stream, other):
        await each.leave()


def test_the_admin_and_the_api_show_it_to_its_own_tenant_alone():
    connection, other = connected(), connected()
    TOLD[connection.pk] = {"scoped_note": "notes:<b>write</b>"}
    admin = sign_in(make_member(connection.tenant, "admin").user)
    path = f"/api/v1/tenants/{connection.tenant.slug}/connections/scoped"
    api = client(make_key(connection.tenant, "admin")[1])
    assert api.post(f"{path}/check").json()["details"]["hidden_tools"]
    assert api.get(path).json()["hidden_tools"] == {"scoped_note": "notes:<b>write</b>"}
    # written by tests alone
    assert api.patch(path, {"name": "X", "hidden_tools": {}}, format="json").status_code in (200, 400)
    assert api.get(path).json()["hidden_tools"]
    page = admin.get(url("connectors_connection_change", connection.pk)).content.decode()
    assert "notes:&lt;b&gt;write&lt;/b&gt;" in page and "<b>write" not in page and "is not listed" in page
    assert "not permitted" in admin.get(url("connectors_connection_tools", connection.pk)).content.decode()
    theirs = client(make_key(other.tenant, "admin")[1])
    assert theirs.get(path).status_code == 404
    assert theirs.get(f"/api/v1/tenants/{other.tenant.slug}/connections/scoped").json()["hidden_tools"] == {}
    mine = sign_in(make_member(other.tenant, "admin").user)
    assert "not permitted" not in mine.get(url("connectors_connection_tools", other.pk)).content.decode()
