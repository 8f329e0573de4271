"""Asking the person in revision 2026-07-28: questions end the call, answers come with the next one."""

import json

import mcp_types
import pytest
from django.conf import settings

from audit.models import AuditEvent
from common.db import in_db
from mcp_endpoint import asking
from mcp_endpoint.turn import CAPABILITIES_KEY
from tests.factories import make_key, unique
from tests.mcp_endpoint import asker
from tests.mcp_endpoint.speak import Place, by_door, make_place, modern

ENTRY = "asker=tests.mcp_endpoint.asker:Asker"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)

ALL = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
ALICE = {"action": "accept", "content": {"name": "Alice"}}


@pytest.fixture(scope="module")
def place(database) -> Place:
    return make_place(connectors=("asker",))


async def call(place, tool, arguments=None, *, able=ALL, answers=None, state=None, method="tools/call"):
    params = {"name": tool}
    if arguments is not None:
        params["arguments"] = arguments
    return await request(place, method, params, able=able, answers=answers, state=state)


async def request(place, method, params, *, able=ALL, answers=None, state=None):
    if answers is not None:
        params = {**params, "inputResponses": answers}
    if state is not None:
        params = {**params, "requestState": state}
    return await by_door(modern(place, method, params, meta={CAPABILITIES_KEY: able}))


def text(answer):
    return answer.result["content"][0]["text"]


async def rows(place, **which):
    found = AuditEvent.objects.for_tenant(place.tenant).filter(**which).order_by("seq")
    return await in_db(list, found)


async def test_a_tool_that_asks_ends_with_questions_and_goes_on_with_the_answers(place):
    first = await call(place, "asker_greet", {"greeting": "Hi"})
    assert first.result["resultType"] == "input_required"
    assert first.result["inputRequests"] == {
        "user_name": {
            "method": "elicitation/create",
            "params": {"message": "What is your name?", "requestedSchema": asker.NAME_FORM},
        }
    }
    assert mcp_types.SERVER_INFO_META_KEY in first.result["_meta"]
    second = await call(
        place,
        "asker_greet",
        {"greeting": "Hi"},
        answers={"user_name": ALICE},
        state=first.result["requestState"],
    )
    assert text(second) == "Hi, Alice!"
    assert second.result["resultType"] == "complete"


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_the_tool_learns_that_the_person_said_no(place, action):
    first = await call(place, "asker_greet")
    answers = {"user_name": {"action": action, "content": {"name": "ignored"}}}
    second = await call(place, "asker_greet", answers=answers, state=first.result["requestState"])
    assert text(second) == f"{action}."


async def test_answers_of_earlier_rounds_are_carried_and_one_key_may_be_asked_twice(place):
    first = await call(place, "asker_steps")
    second = await call(place, "asker_steps", answers={"answer": ALICE}, state=first.result["requestState"])
    assert second.result["inputRequests"]["answer"]["params"]["message"] == "Alice, which colour?"
    assert second.result["requestState"] != first.result["requestState"]
    blue = {"answer": {"action": "accept", "content": {"colour": "blue"}}}
    third = await call(place, "asker_steps", answers=blue, state=second.result["requestState"])
    assert text(third) == "Alice likes blue; kept {'seen': 'Alice'}"


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"wrong": ALICE},
        {"user_name": {"action": "accept"}},
        {"user_name": {"action": "accept", "content": {"name": 7}}},
        {"user_name": {"roots": []}},
        None,
    ],
)
async def test_what_is_missing_or_does_not_fit_is_asked_again(place, answers):
    first = await call(place, "asker_greet")
    second = await call(place, "asker_greet", answers=answers, state=first.result["requestState"])
    assert list(second.result["inputRequests"]) == ["user_name"]
    third = await call(
        place, "asker_greet", answers={"user_name": ALICE}, state=second.result["requestState"]
    )
    assert text(third) == "Hello, Alice!"


async def test_answers_that_nobody_asked_for_are_ignored(place):
    first = await call(place, "asker_greet")
    answers = {"user_name": ALICE, "more": ALICE, "other": {"roots": []}}
    second = await call(place, "asker_greet", answers=answers, state=first.result["requestState"])
    assert text(second) == "Hello, Alice!"


async def test_a_plain_question_may_be_answered_before_it_is_put(place):
    answer = await call(place, "asker_greet", answers={"user_name": ALICE})
    assert text(answer) == "Hello, Alice!"


@pytest.mark.parametrize(
    ("able", "kinds"),
    [
        (ALL, {"name", "page", "capital", "roots"}),
        ({"elicitation": {}}, {"name"}),
        ({"elicitation": {"url": {}}}, {"page"}),
        ({"sampling": {}}, {"capital"}),
        ({"sampling": {}, "roots": {}}, {"capital", "roots"}),
    ],
)
async def test_only_what_the_request_declares_is_asked(place, able, kinds):
    first = await call(place, "asker_everything", able=able)
    assert set(first.result["inputRequests"]) == kinds
    given = {
        "name": ALICE,
        "page": {"action": "accept"},
        "capital": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}},
        "roots": {"roots": [{"uri": "file:///work"}]},
    }
    second = await call(
        place, "asker_everything", able=able, answers=given, state=first.result["requestState"]
    )
    assert second.result["structuredContent"] == {key: given[key] for key in kinds}


async def test_the_questions_are_the_protocols_own(place):
    result = (await call(place, "asker_everything")).result
    model = mcp_types.InputRequiredResult.model_validate(result, by_name=False)
    assert {key: one.method for key, one in model.input_requests.items()} == {
        "name": "elicitation/create", "page": "elicitation/create", "capital": "sampling/createMessage",
        "roots": "roots/list",
    }  # fmt: skip
    assert result["inputRequests"]["page"]["params"] == {
        "mode": "url", "message": "Look at this page.", "url": "https://example.com/look",
    }  # fmt: skip


async def test_a_client_without_the_capability_is_told_which_one_is_missing(place):
    answer = await call(place, "asker_sample", able={"elicitation": {}})
    assert answer.status == 400
    assert answer.error["code"] == -32021
    assert answer.error["data"] == {"requiredCapabilities": {"sampling": {}}}
    answer = await call(place, "asker_greet", able={})
    assert answer.error["data"] == {"requiredCapabilities": {"elicitation": {}}}


async def test_prompts_and_resources_ask_too(place):
    for method, params in (
        ("prompts/get", {"name": "asker-letter", "arguments": {"topic": "soup"}}),
        ("resources/read", {"uri": "asker://note"}),
    ):
        first = await request(place, method, params)
        assert first.result["resultType"] == "input_required", first.body
        second = await request(
            place, method, params, answers={"answer": ALICE}, state=first.result["requestState"]
        )
        assert second.result["resultType"] == "complete"
        assert "Alice" in json.dumps(second.result)
    for kind in ("prompt", "read"):
        assert [row.outcome for row in await rows(place, kind=kind)] == ["asked", "ok"]


async def altered(place, state, mode):
    if mode == "tampered":
        return place, state + "-TAMPERED"
    if mode == "cut":
        return place, state[:-5]
    if mode == "nonsense":
        return place, "nonsense"
    if mode == "other key":
        return place, "k0~" + state.partition("~")[2]
    if mode == "other tenant":
        return await in_db(make_place, connectors=("asker",)), state
    _, secret = await in_db(make_key, place.tenant)
    return Place(place.tenant, secret, None), state


@pytest.mark.parametrize(
    "mode", ["tampered", "cut", "nonsense", "other key", "other tenant", "other principal"]
)
async def test_a_state_that_is_not_this_callers_is_refused(place, mode):
    state = (await call(place, "asker_greet")).result["requestState"]
    there, state = await altered(place, state, mode)
    answer = await call(there, "asker_greet", answers={"user_name": ALICE}, state=state)
    assert answer.status == 400
    assert answer.error["code"] == -32602


async def test_a_state_counts_for_its_own_tool_and_arguments_alone(place):
    state = (await call(place, "asker_greet", {"greeting": "Hi"})).result["requestState"]
    for tool, arguments in (("asker_greet", {"greeting": "Ho"}), ("asker_greet", {}), ("asker_sample", {})):
        answer = await call(place, tool, arguments, answers={"user_name": ALICE}, state=state)
        assert answer.error["code"] == -32602
    answer = await call(place, "asker_plain", {"word": unique()}, state="nonsense")
    assert answer.error["code"] == -32602
    assert not await rows(place, name="asker_plain")


async def test_a_state_has_an_end(place, monkeypatch):
    monkeypatch.setattr(asking, "MAX_AGE_S", -1)
    state = (await call(place, "asker_greet")).result["requestState"]
    answer = await call(place, "asker_greet", answers={"user_name": ALICE}, state=state)
    assert answer.error["code"] == -32602
    assert "expired" in answer.error["message"]


async def test_what_travels_is_not_readable(place):
    first = await call(place, "asker_steps")
    second = await call(place, "asker_steps", answers={"answer": ALICE}, state=first.result["requestState"])
    assert "Alice" not in second.result["requestState"]


async def test_a_call_that_never_stops_asking_is_stopped(place):
    answer = await call(place, "asker_endless")
    for _ in range(asking.MAX_ROUNDS + 1):
        if answer.result["resultType"] == "complete":
            break
        answer = await call(
            place, "asker_endless", answers={"more": ALICE}, state=answer.result["requestState"]
        )
    assert answer.result["isError"]
    assert json.loads(text(answer))["code"] == "too_many_questions"


async def test_each_round_is_a_call_of_its_own_and_an_asking_one_says_so(place):
    word = unique()
    first = await call(place, "asker_write", {"word": word})
    assert word not in asker.done
    await call(
        place, "asker_write", {"word": word}, answers={"answer": {"action": "accept"}},
        state=first.result["requestState"],
    )  # fmt: skip
    assert asker.done.count(word) == 1
    written = await rows(place, name="asker_write")
    assert [(row.phase, row.outcome, row.message) for row in written] == [
        ("attempt", "started", ""),
        ("done", "asked", "elicitation/create (answer)"),
        ("attempt", "started", ""),
        ("done", "ok", ""),
    ]
    assert len({row.call_id for row in written}) == 2
    greeted = await rows(place, name="asker_greet")
    assert all("Alice" not in row.message + row.arguments for row in greeted)


async def test_inputs_of_a_wrong_shape_are_errors_of_the_protocol(place):
    for wrong in ({"user_name": 12345}, "text", [1]):
        answer = await call(place, "asker_greet", answers=wrong)
        assert answer.error["code"] == -32602
    answer = await call(place, "asker_greet", state=7)
    assert answer.error["code"] == -32602


def test_the_name_of_the_capabilities_is_the_protocols():
    assert CAPABILITIES_KEY == mcp_types.CLIENT_CAPABILITIES_META_KEY
