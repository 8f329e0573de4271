"""Calls that need the agreement of the person behind the client, whichever door they come by."""

import json

import pytest
from django.conf import settings

from audit.models import AuditEvent
from common.db import in_db
from connectors import pipeline
from connectors.confirming import question_of
from connectors.services import permission_set
from connectors.snapshot import load
from mcp_endpoint.turn import CAPABILITIES_KEY
from tests.factories import SYSTEM, make_caller, make_key, unique
from tests.mcp_endpoint import asker
from tests.mcp_endpoint.speak import by_door, initialize, legacy, make_place, modern
from tests.mcp_endpoint.test_asking_legacy import ABLE, Call, post

ENTRY = "asker=tests.mcp_endpoint.asker:Asker"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)

KEY = "portico_confirm"
YES = {"action": "accept", "content": {}}


@pytest.fixture(scope="module")
def place(database):
    return make_place(connectors=("asker", "probe"))


async def call(place, tool="asker_delete", able=None, answers=None, state=None, **arguments):
    params = {"name": tool, "arguments": arguments}
    if answers is not None:
        params["inputResponses"] = answers
    if state is not None:
        params["requestState"] = state
    able = {"elicitation": {}} if able is None else able
    return await by_door(modern(place, "tools/call", params, meta={CAPABILITIES_KEY: able}))


def code(answer):
    assert answer.result["isError"], answer.body
    return json.loads(answer.result["content"][0]["text"])["code"]


async def story(place, name, word):
    """What the audit says of the calls with a word among their arguments."""
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(name=name).order_by("seq")
    found = await in_db(list, rows)
    return [(row.phase, row.outcome) for row in found if word in row.arguments]


async def test_the_person_is_asked_before_anything_happens(place):
    word = unique()
    first = await call(place, word=word, code="hush-hush")
    question = first.result["inputRequests"][KEY]["params"]["message"]
    assert question.splitlines()[0] == "Run Delete (asker_delete) on the connection Asker (asker)?"
    assert f'word: "{word}"' in question
    assert "hush-hush" not in question
    assert await story(place, "asker_delete", word) == [("done", "asked")]
    second = await call(
        place, answers={KEY: YES}, state=first.result["requestState"], word=word, code="hush-hush"
    )
    assert second.result["content"][0]["text"] == "deleted"
    assert asker.done.count(word) == 1
    assert await story(place, "asker_delete", word) == [
        ("done", "asked"),
        ("attempt", "started"),
        ("done", "ok"),
    ]


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_no_ends_the_call(place, action):
    word = unique()
    first = await call(place, word=word)
    second = await call(
        place, answers={KEY: {"action": action}}, state=first.result["requestState"], word=word
    )
    assert code(second) == "declined"
    assert word not in asker.done
    assert await story(place, "asker_delete", word) == [("done", "asked"), ("done", "denied")]


async def test_a_yes_counts_for_the_very_call_that_was_shown(place):
    word, other = unique(), unique()
    first = await call(place, word=word)
    state = first.result["requestState"]
    assert (await call(place, answers={KEY: YES}, state=state, word=other)).error["code"] == -32602
    for unasked in (await call(place, answers={KEY: YES}, word=word), await call(place, word=word)):
        assert unasked.result["resultType"] == "input_required"
    assert word not in asker.done
    assert other not in asker.done


async def test_a_client_that_cannot_ask_is_refused(place):
    word = unique()
    assert code(await call(place, able={}, word=word)) == "confirmation_required"
    session = (await by_door(initialize(place))).headers["mcp-session-id"]
    params = {"name": "asker_delete", "arguments": {"word": word}}
    answer = await by_door(legacy(place, "tools/call", params, mcp_session_id=session))
    assert code(answer) == "confirmation_required"
    assert word not in asker.done
    assert await story(place, "asker_delete", word) == [("done", "denied")] * 2


@pytest.mark.parametrize(("result", "ran"), [(YES, True), ({"action": "decline"}, False)])
async def test_the_handshake_era_asks_on_the_calls_stream(place, result, ran):
    word = unique()
    session = (await by_door(initialize(place, **ABLE))).headers["mcp-session-id"]
    running = Call(place, session, "asker_delete", word=word)
    question = await running.event()
    assert question["params"]["message"].startswith("Run Delete")
    await by_door(post(place, session, {"id": question["id"], "result": result}))
    done = await running.event()
    assert done["result"]["isError"] is not ran
    assert (word in asker.done) is ran


async def test_nobody_waits_for_a_yes_forever(place, settings):
    settings.PORTICO_CALL_TIMEOUT_S = 0.2
    session = (await by_door(initialize(place, **ABLE))).headers["mcp-session-id"]
    running = Call(place, session, "asker_delete", word=unique())
    await running.event()
    assert (await running.event())["method"] == "notifications/cancelled"
    error = json.loads((await running.event())["result"]["content"][0]["text"])
    assert error["type"] == "timeout"
    assert "nothing was executed" in error["error"]


async def test_arguments_that_are_not_valid_trouble_nobody(place):
    assert code(await call(place, wrong=1)) == "invalid_arguments"


async def test_a_roles_patterns_demand_it_too(database):
    place = await in_db(make_place, connectors=("asker", "probe"))
    await in_db(
        permission_set, tenant=place.tenant, role="operator", allow=[], deny=[], confirm=["probe:probe_w*"], actor=SYSTEM
    )  # fmt: skip
    first = await call(place, "probe_write", text="x")
    assert list(first.result["inputRequests"]) == [KEY]
    assert (await call(place, "probe_echo", text="x")).result["resultType"] == "complete"
    _, secret = await in_db(make_key, place.tenant, role="admin")
    admin = type(place)(place.tenant, secret, None)
    assert (await call(admin, "probe_write", text="x")).result["resultType"] == "complete"
    # What does not name the patterns leaves them; an empty list takes them away.
    await in_db(permission_set, tenant=place.tenant, role="operator", allow=[], deny=[], actor=SYSTEM)
    assert (await call(place, "probe_write", text="x")).result["resultType"] == "input_required"
    await in_db(
        permission_set, tenant=place.tenant, role="operator", allow=[], deny=[], confirm=[], actor=SYSTEM
    )
    assert (await call(place, "probe_write", text="x")).result["resultType"] == "complete"


async def test_whoever_confirmed_before_is_not_asked(place):
    caller = await in_db(make_caller, place.tenant)
    word = unique()
    refused = await pipeline.call_tool(caller, "asker_delete", {"word": word})
    assert refused.is_error
    assert word not in asker.done
    info = pipeline.CallInfo(confirmed=True)
    assert not (await pipeline.call_tool(caller, "asker_delete", {"word": word}, info=info)).is_error
    assert word in asker.done


def test_a_long_argument_hides_no_other_and_secrets_are_masked(place):
    entry = load(place.tenant.pk).tools["asker_delete"]
    arguments = {
        "a_first": "x" * 5000,
        "password": "p4ss",
        "code": "c0de",
        "word": "all of it",
        "z": {"n": [1, None]},
    }
    said = question_of(entry, arguments)
    assert 'word: "all of it"' in said
    assert 'z: {"n": [1, null]}' in said
    assert "p4ss" not in said
    assert "c0de" not in said
    assert len(said) < 1500
    many = question_of(entry, {f"a{number}": number for number in range(100)})
    assert "70 more arguments" in many
