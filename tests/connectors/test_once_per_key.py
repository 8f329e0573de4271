"""A writing call with a key of its client's is run once, whatever happens to its answer."""

import asyncio
import json
import logging
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from audit.models import AuditEvent
from common import vault
from common.db import in_db
from common.writer import WriterUnavailableError
from connectors import pipeline
from connectors.asking import InputRequired
from connectors.call_info import CallInfo
from connectors.channel import Channel
from connectors.models import IdempotentCall
from connectors.pipeline import ServiceUnavailable, call_tool
from connectors.services.idempotent_calls import Claim, call_claim, purge_idempotent_calls
from tests.connectors.once_tools import GATES, times
from tests.factories import make_caller, make_connection, make_tenant, unique
from tests.live import environment, run_code

ENTRY = "once=tests.connectors.once_tools:Once"
if ENTRY not in django_settings.PORTICO_CONNECTORS:
    django_settings.PORTICO_CONNECTORS.append(ENTRY)


@pytest.fixture
def tenant():
    tenant = make_tenant()
    make_connection(tenant, "once")
    return tenant


@pytest.fixture
def caller(tenant):
    return make_caller(tenant)


async def do(caller, key, text="x", name="once_do", **more):
    return await call_tool(caller, name, {"text": text, **more}, info=CallInfo("r1", idempotency_key=key))


def error_of(result):
    assert result.is_error, result
    return json.loads(result.content[0].text)


async def test_a_call_that_is_sent_again_gets_the_first_answer_and_does_nothing(tenant, caller):
    key = unique()
    first = await do(caller, key)
    again = await do(caller, key)
    assert first.structured == again.structured == {"did": "x", "times": 1}
    assert first.content == again.content
    assert first.meta == {} and again.meta == {"idempotent": "replayed"}
    assert times(tenant, "x") == 1


async def test_calls_without_a_key_and_reads_run_each_time(tenant, caller):
    for _ in range(2):
        await call_tool(caller, "once_do", {"text": "free"})
        await do(caller, "k", "read", name="once_read")
    assert (times(tenant, "free"), times(tenant, "read")) == (2, 2)


async def test_a_key_is_of_one_tool_and_its_arguments_in_any_order(tenant, caller):
    await do(caller, "k", "x", word="w", end="")
    same = await call_tool(
        caller, "once_do", {"end": "", "word": "w", "text": "x"}, info=CallInfo("r", idempotency_key="k")
    )
    assert same.meta == {"idempotent": "replayed"}
    for other in (await do(caller, "k", "y"), await do(caller, "k", "x", name="once_begin")):
        said = error_of(other)
        assert (said["type"], said["code"]) == ("validation", "idempotency_key_reused")
    assert times(tenant, "y") == 0 and times(tenant, "x") == 1


async def test_a_key_belongs_to_one_principal_of_one_tenant(tenant, caller):
    colleague = await in_db(make_caller, tenant)
    elsewhere = await in_db(make_tenant)
    await in_db(make_connection, elsewhere, "once")
    stranger = await in_db(make_caller, elsewhere)
    for who in (caller, colleague, stranger):
        assert (await do(who, "same-key")).meta == {}
    assert (times(tenant, "x"), times(elsewhere, "x")) == (2, 1)


async def test_of_many_at_once_exactly_one_runs_and_the_others_are_told_to_come_back(tenant, caller):
    GATES["gated"] = asyncio.Event()
    calls = [asyncio.create_task(do(caller, "k", "gated", end="gate")) for _ in range(6)]
    done, running = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    while len(running) > 1:
        more, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    for one in done:
        said = error_of(one.result())
        assert (said["type"], said["code"], said["retryable"]) == ("conflict", "idempotency_running", True)
        assert said["retry_after"]
    GATES["gated"].set()
    assert (await running.pop()).structured == {"did": "gated", "times": 1}
    assert (await do(caller, "k", "gated", end="gate")).structured["times"] == 1


async def test_another_process_gives_the_stored_answer(tenant, caller):
    first = await do(caller, "k")
    code = f"""
import asyncio
from uuid import UUID
from connectors.call_info import CallInfo
from connectors.pipeline import call_tool
from common.writer import writer
from tenants.models import Principal
from tenants.selectors import caller_of
p = Principal.objects.for_tenant(UUID({str(tenant.pk)!r})).select_related("tenant").get(pk=UUID({str(caller.principal_id)!r}))
got = asyncio.run(call_tool(caller_of(p, via="mcp"), "once_do", {{"text": "x"}}, info=CallInfo("r", idempotency_key="k")))
writer.stop()
print(json.dumps([got.structured, got.meta]))
"""
    env = environment(PORTICO_CONNECTORS=ENTRY)
    assert await asyncio.to_thread(run_code, code, env) == [first.structured, {"idempotent": "replayed"}]


@pytest.mark.parametrize("end", ["limited", "refused", "unsent"])
async def test_a_failure_that_did_nothing_gives_the_key_back(tenant, caller, end):
    for _ in range(2):
        assert error_of(await do(caller, "k", end=end))["code"] != "idempotency_running"
    assert times(tenant, "x") == 2
    assert (await do(caller, "k", "corrected")).structured["did"] == "corrected"


@pytest.mark.parametrize("end", ["lost", "late", "failed", "crash"])
async def test_a_failure_of_which_nobody_knows_what_it_did_is_not_repeated(tenant, caller, end):
    first, again = error_of(await do(caller, "k", end=end)), error_of(await do(caller, "k", end=end))
    assert (again["type"], again["error"], again["code"]) == (first["type"], first["error"], first["code"])
    assert again["retryable"] is False and again["hint"]
    assert again["status_code"] == first["status_code"]
    assert times(tenant, "x") == 1


async def test_an_answer_that_is_an_error_of_the_tools_own_is_an_answer(tenant, caller):
    for _ in range(2):
        got = await do(caller, "k", end="business")
        assert got.is_error and got.structured == {"no": "x"}
    assert times(tenant, "x") == 1


async def test_a_call_that_was_given_up_is_not_repeated(tenant, caller):
    GATES["given up"] = asyncio.Event()
    call = asyncio.create_task(do(caller, "k", "given up", end="gate"))
    async with asyncio.timeout(10):
        while not times(tenant, "given up"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    said = error_of(await do(caller, "k", "given up", end="gate"))
    assert (said["type"], said["code"]) == ("timeout", "outcome_unknown")
    assert "new key" in said["hint"]
    assert times(tenant, "given up") == 1


async def test_a_call_that_ends_with_questions_gives_the_key_back(tenant, caller):
    class Asking(Channel):
        async def ask(self, requests, state=None):
            raise InputRequired(requests)

    info = CallInfo("r1", idempotency_key="k")
    for _ in range(2):
        with pytest.raises(InputRequired):
            await call_tool(caller, "once_do", {"text": "x", "end": "ask"}, channel=Asking(), info=info)
    assert times(tenant, "x") == 2


async def test_a_call_that_could_not_be_recorded_was_not_run_and_gives_the_key_back(
    tenant, caller, monkeypatch
):
    async def away(*_args, **_more):
        raise WriterUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "record", away)
        with pytest.raises(ServiceUnavailable):
            await do(caller, "k")
    assert times(tenant, "x") == 0
    assert (await do(caller, "k")).meta == {}


async def test_a_large_answer_is_not_kept_but_that_it_was_done_is(tenant, caller):
    first = await do(caller, "k", end="large")
    assert len(first.content[0].data) == 300_000
    row = await in_db(lambda: IdempotentCall.objects.for_tenant(tenant).get())
    assert len(row.ciphertext) < 1_000
    said = error_of(await do(caller, "k", end="large"))
    assert (said["type"], said["code"], said["retryable"]) == ("conflict", "idempotency_done", False)
    assert times(tenant, "x") == 1


async def test_what_is_stored_tells_nothing_of_the_call(tenant, caller, caplog):
    with caplog.at_level(logging.DEBUG):
        await do(caller, "k", "planted-words", word="planted-too")
    row = await in_db(lambda: IdempotentCall.objects.for_tenant(tenant).get())
    assert b"planted" not in bytes(row.ciphertext) and "planted" not in f"{row.digest}{row.key}"
    assert "planted" not in caplog.text
    assert row.expires_at > timezone.now() + timedelta(minutes=9)
    other = await in_db(make_tenant)
    with pytest.raises(vault.VaultError):
        vault.decrypt(other, row.pk, "idempotent-call", row.ciphertext)


async def test_an_answer_whose_data_key_is_gone_is_done_all_the_same(tenant, caller):
    await do(caller, "k")
    rows = IdempotentCall.objects.for_tenant(tenant)
    await in_db(lambda: rows.update(ciphertext=b"damaged"))
    assert error_of(await do(caller, "k"))["code"] == "idempotency_done"
    assert times(tenant, "x") == 1


async def test_after_ten_minutes_the_key_is_free_and_its_row_is_purged(tenant, caller):
    other = await in_db(make_caller, tenant)
    for who in (caller, other):
        await do(who, "k")
    rows = IdempotentCall.objects.for_tenant(tenant)
    await in_db(lambda: rows.update(expires_at=timezone.now()))
    assert (await do(caller, "k")).structured["times"] == 3
    assert await in_db(rows.count) == 2
    assert await in_db(purge_idempotent_calls) >= 1
    assert [row.principal_id for row in await in_db(lambda: list(rows.all()))] == [caller.principal_id]


async def test_a_claim_whose_process_died_says_that_nobody_knows(tenant, caller):
    await do(caller, "k")
    rows = IdempotentCall.objects.for_tenant(tenant)
    await in_db(lambda: rows.update(ciphertext=b""))
    assert error_of(await do(caller, "k"))["code"] == "idempotency_running"
    await in_db(lambda: rows.update(created_at=timezone.now() - timedelta(minutes=5)))
    assert error_of(await do(caller, "k"))["code"] == "outcome_unknown"
    assert times(tenant, "x") == 1


async def test_each_answer_is_audited_and_only_the_run_has_an_attempt(tenant, caller):
    for _ in range(2):
        await do(caller, "k")
    rows = AuditEvent.objects.for_tenant(tenant).filter(kind="call").order_by("seq")
    assert await in_db(lambda: [(row.phase, row.outcome) for row in rows]) == [
        ("attempt", "started"), ("done", "ok"), ("done", "ok"),
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["x" * 201, "a\nb", "\x00"])
async def test_a_key_that_is_none_is_refused(tenant, caller, key):
    assert error_of(await do(caller, key))["code"] == "invalid_idempotency_key"
    assert times(tenant, "x") == 0


def test_a_claim_is_one_row_whoever_claims(tenant, caller):
    who = (tenant.pk, caller.principal_id, "k", "digest", timedelta(seconds=60))
    first, second = call_claim(*who), call_claim(*who)
    assert isinstance(first, Claim) and second.row_id == first.row_id and not second.overdue
