import asyncio
import json
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import AsyncClient

from audit.models import AuditEvent
from common.db import in_db
from common.writer import writer
from connectors.call_info import CallInfo
from connectors.errors import ConnectionFailed
from connectors.models import Connection
from connectors.pipeline import UnknownTool, call_tool, catalogue
from connectors.reading import (
    InvalidArguments,
    ResourceNotFound,
    UnknownPrompt,
    complete,
    get_prompt,
    list_resources,
    read_resource,
)
from connectors.services import connection_update, switch_set
from connectors.snapshot import forget, load
from tenants.principals import Actor, ClientInfo, KeyRights, Role
from tests.factories import make_caller, make_connection, make_key, make_member, make_tenant

ACTOR = Actor.system("tests")


@pytest.fixture
def tenant():
    return make_tenant()


@pytest.fixture
def probe(tenant):
    return make_connection(tenant, "probe")


def rows_of(tenant, **filters):
    return list(
        AuditEvent.objects.for_tenant(tenant)
        .filter(kind__in=["call", "denial", "read", "prompt"], **filters)
        .order_by("seq")
    )


def error_of(result):
    assert result.is_error
    return json.loads(result.content[0].text)


async def test_a_call_answers_and_leaves_one_row(tenant, probe):
    caller = (await in_db(make_caller, tenant)).using(ClientInfo("tester", "1.2"))
    result = await call_tool(
        caller, "probe_echo", {"text": "hi"}, info=CallInfo(request_id="r1", trace_id="t1")
    )
    assert result.structured == {"said": "hi"}
    (row,) = await in_db(rows_of, tenant)
    assert (row.kind, row.name, row.connection, row.outcome) == ("call", "probe_echo", "probe", "ok")
    assert (row.client_name, row.client_version, row.request_id, row.trace_id) == (
        "tester",
        "1.2",
        "r1",
        "t1",
    )
    assert json.loads(row.arguments) == {"text": "hi"}
    assert row.duration_us > 0


async def test_a_call_that_writes_has_an_attempt_and_a_completion_with_one_call_id(tenant, probe):
    caller = await in_db(make_caller, tenant)
    await call_tool(caller, "probe_write", {"text": "hi"})
    attempt, done = await in_db(rows_of, tenant)
    assert (attempt.phase, attempt.outcome, done.phase, done.outcome) == ("attempt", "started", "done", "ok")
    assert attempt.call_id == done.call_id


@pytest.mark.parametrize(
    ("arguments", "part"),
    [({}, "text"), ({"text": 1}, "text"), ({"text": "a", "more": 1}, "more"), ({"text": None}, "text")],
)
async def test_arguments_that_break_the_schema_are_a_validation_result_that_names_them(
    tenant, probe, arguments, part
):
    caller = await in_db(make_caller, tenant)
    said = error_of(await call_tool(caller, "probe_echo", arguments))
    assert (said["type"], said["retryable"]) == ("validation", False)
    assert part in said["error"]
    (row,) = await in_db(rows_of, tenant)
    assert (row.outcome, row.error_type) == ("error", "validation")


@pytest.mark.parametrize("number", [0, 11, 2**70, 1.5])
async def test_a_number_out_of_range_is_refused(tenant, probe, number):
    caller = await in_db(make_caller, tenant)
    said = error_of(await call_tool(caller, "probe_number", {"number": number}))
    assert said["type"] == "validation"


async def test_unknown_and_forbidden_tools_look_the_same_and_are_recorded(tenant, probe):
    viewer = await in_db(make_caller, tenant, role="viewer")
    for name in ("probe_write", "no_such_tool"):
        with pytest.raises(UnknownTool):
            await call_tool(viewer, name, {"text": "x"})
    forbidden, unknown = await in_db(rows_of, tenant)
    assert (forbidden.kind, forbidden.outcome, forbidden.connection) == ("denial", "denied", "probe")
    assert forbidden.message == "The role viewer may not use tools that write."
    assert (unknown.kind, unknown.connection) == ("denial", "")


async def test_a_failing_tool_tells_nothing_of_the_inside(tenant, probe):
    caller = await in_db(make_caller, tenant)
    said = error_of(await call_tool(caller, "probe_fail", {}))
    assert said["type"] == "internal"
    assert "s3cret" not in json.dumps(said)
    said = error_of(await call_tool(caller, "probe_fail", {"how": "conflict"}))
    assert (said["type"], said["status_code"], said["hint"]) == ("conflict", 409, "Read it again.")


async def test_a_call_has_a_deadline(tenant, probe):
    caller = await in_db(make_caller, tenant)
    assert error_of(await call_tool(caller, "probe_slow", {}))["type"] == "timeout"


async def test_a_tools_own_limit_counts_per_caller(tenant, probe):
    one, other = await in_db(make_caller, tenant), await in_db(make_caller, tenant)
    for _ in range(2):
        assert not (await call_tool(one, "probe_limited", {})).is_error
    said = error_of(await call_tool(one, "probe_limited", {}))
    assert (said["type"], said["error"], said["retryable"]) == (
        "rate_limit",
        "Rate limit exceeded: 2/60s",
        True,
    )
    assert 0 < said["retry_after"] <= 60
    assert not (await call_tool(other, "probe_limited", {})).is_error


async def test_an_alias_is_accepted_and_not_listed(tenant, probe):
    caller = await in_db(make_caller, tenant)
    assert "probe_say" not in [entry.name for entry in (await catalogue(caller)).tools]
    assert (await call_tool(caller, "probe_say", {"text": "a"})).structured == {"said": "a"}


async def test_the_list_is_what_may_be_called(tenant, probe):
    for role in Role:
        caller = await in_db(make_caller, tenant, role=role.value)
        listed = {entry.name for entry in (await catalogue(caller)).tools}
        for name in (await in_db(load, tenant.pk)).tools:
            if name in ("probe_slow", "probe_wait"):
                continue
            try:
                await call_tool(caller, name, {"text": "x", "number": 1})
                called = True
            except UnknownTool:
                called = False
            assert called == (name in listed), (role, name)


async def test_a_second_connection_renames_nothing_and_is_prefixed(tenant, probe):
    caller = await in_db(make_caller, tenant)
    before = [entry.name for entry in (await catalogue(caller)).tools]
    await in_db(make_connection, tenant, "probe", "other")
    after = [entry.name for entry in (await catalogue(caller)).tools]
    assert [name for name in after if "__" not in name] == before
    assert [name.removeprefix("other__") for name in after if "__" in name] == before
    await call_tool(caller, "other__probe_echo", {"text": "x"})
    (row,) = await in_db(rows_of, tenant)
    assert (row.connection, row.name) == ("other", "probe_echo")
    key = replace(caller, key_id="k", rights=KeyRights(allow=("probe:*",)))
    assert [entry.name for entry in (await catalogue(key)).tools] == before


async def test_a_switch_changes_the_next_call(tenant, probe):
    caller = await in_db(make_caller, tenant)
    with pytest.raises(UnknownTool):
        await call_tool(caller, "probe_delete", {})
    await in_db(switch_set, probe, actor=ACTOR, tool="probe_delete", enabled=True)
    assert not (await call_tool(caller, "probe_delete", {})).is_error
    await in_db(connection_update, probe, actor=ACTOR, read_only=True)
    with pytest.raises(UnknownTool):
        await call_tool(caller, "probe_delete", {})


async def test_a_poisoned_argument_hurts_its_own_call_alone(tenant, probe):
    caller = await in_db(make_caller, tenant)
    results = await asyncio.gather(
        *(
            call_tool(caller, "probe_echo", {"text": text})
            for text in ("a\x00b", "\ud800", "x" * 2_000_000, "fine")
        ),
        return_exceptions=True,
    )
    assert results[3].structured == {"said": "fine"}
    rows = await in_db(rows_of, tenant)
    assert len(rows) == 4
    assert all(len(row.arguments) < 20_000 for row in rows)


async def test_secret_arguments_stay_out_of_the_audit_and_of_errors(tenant, probe):
    caller = await in_db(make_caller, tenant)
    await call_tool(caller, "probe_secret", {"word": "swordfish"})
    said = error_of(await call_tool(caller, "probe_secret", {"word": "swordfish" * 10}))
    assert "swordfish" not in json.dumps(said)
    for row in await in_db(rows_of, tenant):
        assert "swordfish" not in f"{row.arguments}{row.message}"


async def test_a_cancelled_call_is_recorded_as_such(tenant, probe):
    caller = await in_db(make_caller, tenant)
    task = asyncio.create_task(call_tool(caller, "probe_wait", {"seconds": 5}))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        rows = await in_db(rows_of, tenant)
        if rows:
            break
        await asyncio.sleep(0.02)
    assert [row.outcome for row in rows] == ["cancelled"]


async def test_resources_are_listed_read_completed_and_recorded(tenant, probe):
    caller = await in_db(make_caller, tenant)
    uris = [entry.uri for entry in await list_resources(caller)]
    assert uris == ["probe://motto", "probe://things/chair", "probe://things/lamp"]
    (contents,) = await read_resource(caller, "probe://things/lamp")
    assert json.loads(contents.text)["thing"] == "lamp"
    assert await complete(caller, "resource", "probe://things/{name}", "name", "la", {}) == ["lamp", "ladder"]
    with pytest.raises(ResourceNotFound):
        await read_resource(caller, "probe://nothing/here/at/all")
    read, denied = await in_db(rows_of, tenant)
    assert (read.kind, read.name, denied.kind) == ("read", "probe://things/lamp", "denial")


async def test_a_second_connections_resources_carry_its_slug(tenant, probe):
    await in_db(make_connection, tenant, "probe", "other")
    caller = await in_db(make_caller, tenant)
    (contents,) = await read_resource(caller, "probe://other/motto")
    assert contents.text == "motto of other"


async def test_prompts_check_their_arguments(tenant, probe):
    caller = await in_db(make_caller, tenant)
    _, messages = await get_prompt(caller, "probe-greet", {"who": "Ada"})
    assert messages[0].content.text == "Greet Ada kindly."
    with pytest.raises(InvalidArguments, match="Missing: who"):
        await get_prompt(caller, "probe-greet", {})
    with pytest.raises(InvalidArguments, match="Unknown: x"):
        await get_prompt(caller, "probe-greet", {"who": "Ada", "x": "1"})
    with pytest.raises(UnknownPrompt):
        await get_prompt(caller, "nothing", {})
    rows = await in_db(rows_of, tenant)
    assert [(row.kind, row.outcome, row.error_type) for row in rows] == [
        ("prompt", "ok", ""),
        ("prompt", "error", "validation"),
        ("prompt", "error", "validation"),
        ("denial", "denied", "permission"),
    ]


async def test_a_read_that_is_given_up_is_recorded(tenant, probe):
    caller = await in_db(make_caller, tenant)
    started = asyncio.Event()

    async def slow(*_):
        started.set()
        await asyncio.sleep(60)

    view = (await in_db(load, tenant.pk)).connection("probe")
    view.connector.motto = slow
    task = asyncio.create_task(read_resource(caller, "probe://motto"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await in_db(writer.flush)
    (row,) = await in_db(rows_of, tenant)
    assert (row.kind, row.name, row.outcome) == ("read", "probe://motto", "cancelled")


async def test_a_system_that_is_away_hides_no_other_resources(tenant, probe):
    await in_db(make_connection, tenant, "probe", "other")
    caller = await in_db(make_caller, tenant)

    async def away(ctx):
        raise ConnectionFailed("away")

    (await in_db(load, tenant.pk)).connection("probe").connector.list_things = away
    uris = [entry.uri for entry in await list_resources(caller)]
    assert "probe://other/things/lamp" in uris and "probe://motto" in uris
    assert "probe://things/lamp" not in uris


async def test_a_connection_whose_settings_no_longer_fit_takes_no_other_along(tenant, probe):
    await in_db(make_connection, tenant, "goals")
    await in_db(
        lambda: Connection.objects.filter(tenant=tenant, slug="probe").update(
            settings={"count": "many"}, version=9
        )
    )
    await in_db(forget, tenant.pk)
    caller = await in_db(make_caller, tenant)
    names = {entry.name for entry in (await catalogue(caller)).tools}
    assert "create_goal" in names and "probe_echo" not in names


async def test_an_answer_that_is_no_json_is_an_error_with_its_row(tenant, probe):
    caller = await in_db(make_caller, tenant)
    assert error_of(await call_tool(caller, "probe_odd", {}))["type"] == "internal"
    (row,) = await in_db(rows_of, tenant)
    assert (row.phase, row.outcome, row.error_type) == ("done", "error", "internal")


async def test_a_download_needs_a_caller_of_the_tenant_and_is_recorded(tenant, probe):
    member = await in_db(make_member, tenant, "viewer")
    stranger = await in_db(make_member, await in_db(make_tenant), "viewer")
    key, secret = await in_db(make_key, tenant)
    caller = await in_db(make_caller, tenant)
    url = urlsplit((await call_tool(caller, "probe_file", {"text": "abc"})).structured["url"]).path
    client = AsyncClient()
    answer = await client.get(url, headers={"authorization": f"Bearer {secret}"})
    assert (answer.status_code, answer.content) == (200, b"abc")
    assert answer["Content-Disposition"].startswith("attachment")
    missing = await client.get(
        f"/t/{tenant.slug}/files/{uuid4()}", headers={"authorization": f"Bearer {secret}"}
    )
    assert missing.status_code == 404
    assert (await client.get(url)).status_code == 401
    await client.aforce_login(stranger.user)
    assert (await client.get(url)).status_code == 401
    await client.aforce_login(member.user)
    assert (await client.get(url)).status_code == 200
    rows = await in_db(rows_of, tenant, kind="read")
    assert [(row.outcome, row.key_id, row.principal_id) for row in rows] == [
        ("ok", key.id, str(key.principal_id)),
        ("error", key.id, str(key.principal_id)),
        ("ok", "", str(member.pk)),
    ]


async def test_a_file_is_read_by_its_tenant_alone(tenant, probe):
    caller = await in_db(make_caller, tenant)
    stranger = await in_db(make_caller, await in_db(make_tenant))
    saved = (await call_tool(caller, "probe_file", {"text": "abc"})).structured
    (contents,) = await read_resource(caller, saved["uri"])
    assert contents.blob == "YWJj"
    for uri in (saved["uri"], f"portico://files/{uuid4()}", "portico://files/" + "-" * 36):
        with pytest.raises(ResourceNotFound):
            await read_resource(stranger, uri)
