import json
import time
import uuid

import pytest
from django.db import transaction

from audit import services
from audit.events import Event, new_call_id
from audit.models import AuditEvent
from audit.rows import MAX_ARGUMENTS, prepare
from audit.verification import verify
from common.db import in_db
from common.writer import writer
from tests.audit.conftest import record_all
from tests.factories import SYSTEM, make_caller, make_tenant


async def test_a_recorded_event_has_its_row_when_record_returns(call, rows):
    event = call(client_name="pytest", client_version="1", request_id="7", duration_us=1500, cache="hit")
    await services.record(event)
    (row,) = await in_db(rows)
    assert (row.name, row.connection, row.client_name, row.cache) == ("create_goal", "goals", "pytest", "hit")
    assert (row.call_id, row.duration_ms, row.request_id) == (event.call_id, 1.5, "7")
    assert json.loads(row.arguments) == {"title": "a goal"}


async def test_a_burst_is_numbered_without_a_gap_in_few_transactions(tenant, call, rows):
    assert not [r for r in await record_all([call() for _ in range(200)]) if r is not None]
    found = await in_db(rows)
    assert len(found) == 200
    assert [row.seq for row in found] == list(range(found[0].seq, found[0].seq + 200))
    assert (await in_db(verify, tenant.pk.hex)).ok


async def test_a_poison_row_hurts_only_its_own_call(tenant, call, rows):
    odd = [
        call("nul\x00name", message="a\x00b"),
        call("surrogate", arguments={"text": "\ud800", "\ud800": 1}, message="\udfff"),
        call("client", client_name="c" * 5000),
        call("integers", arguments={"n": 2**80}, upstream_status=2**40, duration_us=2**70),
        call("types", arguments={"set": {1}, "bytes": b"x", 3: object()}, request_id=12345, count=1.0),
        call("deep", arguments=_nested(5000)),
    ]
    nobody = Event(uuid.uuid4(), "call", name="no such tenant")
    results = await record_all([call("before"), *odd, nobody, call("after")])
    assert [type(r).__name__ for r in results if r is not None] == ["IntegrityError"]
    found = {row.name: row for row in await in_db(rows)}
    assert {"before", "after", "surrogate", "client", "integers", "types", "deep"} < set(found)
    assert len(found["client"].client_name) == 64
    assert (await in_db(verify, tenant.pk.hex)).ok


def _nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


async def test_a_ten_megabyte_argument_is_cut_before_it_is_queued(call, rows):
    big = "x" * 10_000_000
    started = time.process_time()
    await services.record(call("text", arguments={"body": big, "list": list(range(300_000))}))
    await services.record(call("text", arguments={"body": big[:-1] + "y", "list": list(range(300_000))}))
    assert time.process_time() - started < 6  # with room for a busy machine
    one, two = await in_db(rows)
    assert len(one.arguments) <= MAX_ARGUMENTS
    assert "10000000 characters" in one.arguments
    assert one.arguments_digest != two.arguments_digest


async def test_secrets_never_reach_a_row(call, rows):
    secret = "ptc_abcdef012345_" + "S3cr3t" * 8
    await services.record(
        call(
            name=f"read {secret}",
            message=f"Authorization: Bearer {secret}",
            arguments={
                "password": "S3cr3tS3cr3t",
                "nested": [{"apiKey": "S3cr3tS3cr3t", "clientSecret": {"a": "S3cr3tS3cr3t"}}],
                "note": f"the key is {secret} and https://me:S3cr3tS3cr3t@host/",
                "inner": {"code": "S3cr3tS3cr3t"},
                "max_tokens": 7,
                "long": "y" * 1990 + secret,
            },
            secret_paths=("inner.code",),
        )
    )
    (row,) = await in_db(rows)
    assert "S3cr3t" not in "".join(str(value) for value in vars(row).values())
    assert json.loads(row.arguments)["max_tokens"] == 7


async def test_attempt_and_completion_are_two_rows_of_one_call(call, rows):
    call_id = new_call_id()
    await services.record(call(phase="attempt", outcome="started", call_id=call_id))
    await services.record(call(call_id=call_id))
    attempt, done = await in_db(rows)
    assert (attempt.phase, done.phase, attempt.call_id) == ("attempt", "done", done.call_id)


def test_threads_wait_for_their_row_and_may_not_wait_inside_a_transaction(call, rows):
    services.record_blocking(call("blocking"))
    assert [row.name for row in rows()] == ["blocking"]
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        services.record_blocking(call())
    with pytest.raises(transaction.TransactionManagementError):
        services.record_in_transaction(call())


def test_an_event_of_a_transaction_goes_with_it(tenant, call, rows):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.record_in_transaction(call("gone"))
        raise ZeroDivisionError
    with transaction.atomic():
        services.record_in_transaction(call("kept", message="line\nbreak\ttab \\ slash"))
    (row,) = rows()
    assert (row.name, row.message) == ("kept", "line\nbreak\ttab \\ slash")
    assert verify(tenant.pk.hex).ok


def test_a_change_keeps_what_differs_and_masks_secrets(tenant, rows):
    with transaction.atomic():
        services.record_change(
            tenant=tenant, actor=SYSTEM, name="connection.update",
            before={"name": "a", "same": 1, "api_key": "S3cr3t-old", "settings": {"url": "x", "token": "S3cr3t"}},
            after={"name": "b", "same": 1, "api_key": "S3cr3t-new", "settings": {"url": "y", "token": "S3cr3t"}},
        )  # fmt: skip
    row = rows(kind="config", name="connection.update")[0]
    change = json.loads(row.arguments)
    assert change["before"] == {"name": "a", "api_key": "[redacted]", "settings": {"url": "x"}}
    assert change["after"] == {"name": "b", "api_key": "[redacted]", "settings": {"url": "y"}}
    assert row.principal_name == SYSTEM.name


async def test_a_refused_caller_leaves_a_denial_with_who_and_why(tenant, rows):
    caller = await in_db(make_caller, tenant)
    await services.record_denied(caller, name="delete_goal", connection="goals", reason="permission")
    (row,) = await in_db(rows)
    assert (row.kind, row.outcome, row.error_type) == ("denial", "denied", "permission")
    assert (row.principal_id, row.key_id) == (str(caller.principal_id), caller.key_id)


def test_two_tenants_have_chains_of_their_own(tenant, call):
    other = make_tenant()
    services.record_blocking(call())
    services.record_blocking(Event(other.pk, "call", name="theirs"))
    for mine in (tenant, other):
        chains = AuditEvent.objects.for_tenant(mine).values_list("chain", flat=True).distinct()
        assert set(chains) == {mine.pk.hex}
        assert verify(mine.pk.hex).ok


def test_platform_events_have_a_chain_without_a_tenant():
    with transaction.atomic():
        services.record_change(tenant=None, actor=SYSTEM, name="user.create", before={}, after={"name": "x"})
    row = AuditEvent.objects.for_tenant(None).order_by("-seq").first()
    assert (row.chain, row.tenant_id) == ("platform", None)
    report = verify("platform")
    # The chain is everybody's: a test of key rotation leaves rows whose key is gone with it.
    assert report.ok or "PORTICO_KEYS has no key 'new'" in report.problem


@pytest.mark.parametrize("rows", [1, 3, 40])
def test_quotes_backslashes_and_percents_are_stored_as_they_came(rows):
    tenant = make_tenant()
    text = "O'Brien \\' \\\\ %s %% $1 \"; DROP TABLE x; -- \t\n é 日本"
    waiting = [
        writer.submit(
            "audit", prepare(Event(tenant.pk, "call", name=text, message=text, arguments={"a": text}))
        )
        for _ in range(rows)
    ]
    for job in waiting:
        job.result(10)
    found = AuditEvent.objects.for_tenant(tenant).filter(kind="call")
    assert set(found.values_list("name", "message")) == {(text, text)}
    assert {json.loads(arguments)["a"] for arguments in found.values_list("arguments", flat=True)} == {text}
    assert verify(tenant.pk.hex).ok
