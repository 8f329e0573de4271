import asyncio
import json

import pytest

from audit.models import AuditEvent
from common.db import in_db
from common.redis import sync_client
from common.vault import VaultError
from connectors.models import Connection, Credential, HealthCheck
from connectors.pipeline import call_tool
from connectors.services import (
    checks,
    connection_check,
    connection_create,
    connection_delete,
    connection_update,
    credential_delete,
    credential_fields,
    credential_set,
    permission_set,
    switch_set,
)
from tenants.errors import AlreadyThere, InvalidValue, NotAllowed
from tenants.principals import Actor
from tests.connectors.probe import Probe
from tests.factories import actor_of, make_caller, make_connection, make_member, make_tenant

ACTOR = Actor.system("tests")
SECRET = "pl4nted-credential-value"


def changes(tenant):
    return [
        (row.name, json.loads(row.arguments))
        for row in AuditEvent.objects.for_tenant(tenant).filter(kind="config").order_by("seq")
    ]


def test_settings_are_checked_by_the_connectors_model_and_nothing_is_half_written():
    tenant = make_tenant()
    with pytest.raises(InvalidValue) as refused:
        make_connection(tenant, "probe", settings={"count": 9})
    assert refused.value.field == "settings.count"
    assert not Connection.objects.for_tenant(tenant).exists()
    assert make_connection(tenant, "probe", settings={"count": 3}).settings == {
        "greeting": "hello",
        "count": 3,
    }


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_settings_that_no_database_can_store_are_refused_with_their_field(text):
    with pytest.raises(InvalidValue) as refused:
        make_connection(make_tenant(), "probe", settings={"greeting": text})
    assert refused.value.field.startswith("settings.greeting")


@pytest.mark.parametrize("slug", ["", "a", "Ab", "1ab", "a-b", "a" * 15, "a b", "ä"])
def test_a_slug_that_breaks_the_rule_is_refused_with_its_field(slug):
    with pytest.raises(InvalidValue) as refused:
        connection_create(tenant=make_tenant(), connector="probe", slug=slug, actor=ACTOR)
    assert refused.value.field == "slug"


def test_a_slug_in_use_and_an_unknown_connector_are_refused():
    tenant = make_tenant()
    make_connection(tenant, "probe")
    with pytest.raises(AlreadyThere, match="probe"):
        make_connection(tenant, "probe")
    with pytest.raises(InvalidValue, match="no connector"):
        make_connection(tenant, "nothing")


def test_the_first_connection_of_a_connector_stays_primary():
    tenant = make_tenant()
    first, second = make_connection(tenant, "probe"), make_connection(tenant, "probe", "other")
    assert (first.is_primary, second.is_primary) == (True, False)
    connection_delete(first, actor=ACTOR)
    second.refresh_from_db()
    assert not second.is_primary
    assert make_connection(tenant, "probe", "third").is_primary


def test_only_admins_of_the_tenant_change_connections():
    tenant = make_tenant()
    operator, stranger = make_member(tenant, "operator"), make_member(make_tenant(), "owner")
    for member in (operator, stranger):
        with pytest.raises(NotAllowed):
            connection_create(tenant=tenant, connector="probe", slug="probe", actor=actor_of(member.user))
    admin = actor_of(make_member(tenant, "admin").user)
    row = connection_create(tenant=tenant, connector="probe", slug="probe", actor=admin)
    with pytest.raises(NotAllowed):
        credential_set(row, {"token": SECRET}, actor=actor_of(operator.user))
    with pytest.raises(NotAllowed):
        switch_set(row, tool="probe_echo", enabled=False, actor=actor_of(stranger.user))


async def test_a_credential_is_encrypted_used_and_never_shown():
    tenant = await in_db(make_tenant)
    row = await in_db(make_connection, tenant, "probe")
    stored = await in_db(lambda: credential_set(row, {"user": "ada", "token": SECRET}, actor=ACTOR))
    caller = await in_db(make_caller, tenant)
    result = await call_tool(caller, "probe_credential", {})
    assert result.structured == {"user": "ada", "length": len(SECRET)}
    assert SECRET.encode() not in bytes(stored.ciphertext)
    assert SECRET not in repr(stored) + str(await in_db(changes, tenant))
    assert await in_db(credential_fields, row) == ["token", "user"]


async def test_a_field_left_empty_keeps_its_secret():
    tenant = await in_db(make_tenant)
    row = await in_db(make_connection, tenant, "probe")
    await in_db(lambda: credential_set(row, {"user": "ada", "token": SECRET}, actor=ACTOR))
    await in_db(lambda: credential_set(row, {"user": "grace", "token": ""}, actor=ACTOR))
    caller = await in_db(make_caller, tenant)
    result = await call_tool(caller, "probe_credential", {})
    assert result.structured == {"user": "grace", "length": len(SECRET)}
    await in_db(lambda: credential_delete(row, actor=ACTOR))
    assert (await call_tool(caller, "probe_credential", {})).is_error


async def test_a_ciphertext_moved_to_another_tenants_row_does_not_decrypt():
    rows = []
    for word in (SECRET, "other-secret"):
        tenant = await in_db(make_tenant)
        connection = await in_db(make_connection, tenant, "probe")
        rows.append(await in_db(lambda c=connection, w=word: credential_set(c, {"token": w}, actor=ACTOR)))
    mine, theirs = rows
    await in_db(
        lambda: Credential.objects.filter(tenant=mine.tenant, pk=mine.pk).update(ciphertext=theirs.ciphertext)
    )
    with pytest.raises(VaultError):
        await in_db(credential_fields, mine.connection)


async def test_a_check_keeps_its_answer():
    tenant = await in_db(make_tenant)
    row = await in_db(make_connection, tenant, "probe")
    failed = await connection_check(row)
    assert (failed.ok, "credential" in failed.message) == (False, True)
    await in_db(lambda: credential_set(row, {"user": "ada", "token": SECRET}, actor=ACTOR))
    assert (await connection_check(row)).ok
    kept = await in_db(lambda: HealthCheck.objects.get(tenant=tenant, connection=row))
    assert (kept.ok, kept.message, kept.details) == (True, "The token is there.", {"user": "ada"})


async def test_a_check_that_breaks_or_hangs_is_an_answer_too(monkeypatch):
    tenant = await in_db(make_tenant)
    row = await in_db(make_connection, tenant, "probe")

    async def crash(self, ctx):
        raise RuntimeError("the inside")

    async def hang(self, ctx):
        await asyncio.sleep(60)

    monkeypatch.setattr(Probe, "check", crash)
    result = await connection_check(row)
    assert (result.ok, "inside Portico" in result.message) == (False, True)
    assert "the inside" not in result.message
    monkeypatch.setattr(checks, "CHECK_TIMEOUT_S", 0.05)
    monkeypatch.setattr(Probe, "check", hang)
    assert "No answer" in (await connection_check(row)).message


async def test_one_of_the_connections_made_at_once_is_primary():
    tenant = await in_db(make_tenant)
    made = await asyncio.gather(
        *(in_db(make_connection, tenant, "probe", slug=f"probe{letter}") for letter in "abcd")
    )
    assert sum(row.is_primary for row in made) == 1


async def test_changes_made_at_once_all_succeed():
    tenant = await in_db(make_tenant)
    row = await in_db(make_connection, tenant, "probe")
    await asyncio.gather(
        *(
            in_db(lambda n=n: credential_set(row, {"user": f"u{n}", "token": SECRET}, actor=ACTOR))
            for n in range(4)
        ),
        *(in_db(lambda: switch_set(row, tool="probe_echo", enabled=False, actor=ACTOR)) for _ in range(3)),
        *(
            in_db(
                lambda n=n: permission_set(
                    tenant=tenant, role="viewer", allow=[f"probe:{n}"], deny=[], actor=ACTOR
                )
            )
            for n in range(3)
        ),
    )
    stored = await in_db(lambda: Credential.objects.get(tenant=tenant, connection=row))
    now = await in_db(lambda: Connection.objects.get(tenant=tenant, pk=row.pk))
    assert (stored.version, now.version) == (4, 5)


async def test_a_credential_stored_anew_is_never_taken_for_the_one_before():
    tenant = await in_db(make_tenant)
    row = await in_db(make_connection, tenant, "probe")
    versions = set()
    for _ in range(2):
        await in_db(lambda: credential_set(row, {"token": SECRET}, actor=ACTOR))
        versions.add(row.version)
        await in_db(lambda: credential_delete(row, actor=ACTOR))
        versions.add(row.version)
    assert len(versions) == 4


def test_a_connection_that_is_gone_is_refused_in_words():
    tenant = make_tenant()
    row = make_connection(tenant, "probe")
    stale = Connection.objects.get(tenant=tenant, pk=row.pk)
    connection_delete(row, actor=ACTOR)
    for change in (
        lambda: connection_update(stale, name="new", actor=ACTOR),
        lambda: connection_delete(stale, actor=ACTOR),
        lambda: credential_set(stale, {"token": SECRET}, actor=ACTOR),
        lambda: switch_set(stale, tool="probe_echo", enabled=False, actor=ACTOR),
    ):
        with pytest.raises(InvalidValue, match="does not exist any more"):
            change()


def test_a_credential_of_another_tenants_member_is_refused():
    row, stranger = make_connection(make_tenant(), "probe"), make_member(make_tenant(), "viewer")
    with pytest.raises(InvalidValue, match="not of this tenant"):
        credential_set(row, {"token": SECRET}, principal=stranger, actor=ACTOR)


@pytest.mark.parametrize("name", ["a\x00b", "line\nbreak", "x" * 81])
def test_a_name_that_cannot_be_stored_or_shown_is_refused(name):
    with pytest.raises(InvalidValue) as refused:
        make_connection(make_tenant(), "probe", name=name)
    assert refused.value.field == "name"


def test_changes_are_recorded_with_before_and_after():
    tenant = make_tenant()
    row = make_connection(tenant, "probe")
    connection_update(row, name="Better", read_only=True, actor=ACTOR)
    switch_set(row, toolset="write", enabled=False, actor=ACTOR)
    permission_set(tenant=tenant, role="viewer", allow=["probe:*"], deny=[], actor=ACTOR)
    found = dict(changes(tenant))
    assert found["connection.update probe"] == {
        "before": {"name": "Probe", "read_only": False},
        "after": {"name": "Better", "read_only": True},
    }
    assert found["switch.set probe:write"]["after"] == {"enabled": False}
    assert found["permission.set viewer"]["after"] == {"allow": ["probe:*"], "deny": [], "confirm": []}


def test_a_bare_pattern_is_refused_with_what_to_write():
    with pytest.raises(InvalidValue, match="<connection>:probe_echo"):
        permission_set(tenant=make_tenant(), role="viewer", allow=["probe_echo"], deny=[], actor=ACTOR)


def test_a_switch_of_nothing_is_refused():
    row = make_connection(make_tenant(), "probe")
    for wrong in ({"tool": "nothing"}, {"toolset": "nothing"}, {}, {"tool": "probe_echo", "toolset": "core"}):
        with pytest.raises(InvalidValue):
            switch_set(row, enabled=True, actor=ACTOR, **wrong)


async def test_a_deleted_connection_leaves_nothing_in_redis():
    tenant = await in_db(make_tenant)
    row = await in_db(make_connection, tenant, "memory")
    caller = await in_db(make_caller, tenant)
    await call_tool(caller, "cache_set", {"key": "a", "value": 1})
    pattern = f"*{row.pk.hex}*"
    assert await in_db(lambda: list(sync_client().scan_iter(pattern)))
    await in_db(lambda: connection_delete(row, actor=ACTOR))
    assert not await in_db(lambda: list(sync_client().scan_iter(pattern)))
