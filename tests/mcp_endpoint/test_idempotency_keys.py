"""Keys of clients through every door: in ``_meta`` in both eras, as a header of the REST API, and for tasks."""

import json

import pytest
from django.conf import settings
from django.test import Client

from mcp_endpoint.tasks import run
from tests.connectors.once_tools import times
from tests.connectors.test_once_per_key import ENTRY
from tests.mcp_endpoint.speak import by_door, by_view, legacy, make_place, modern
from tests.mcp_endpoint.tasking import DECLARED, call, queued_here, send, stand

if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


@pytest.fixture
def place():
    return make_place("operator", ("once",))


def in_modern(place, key, **arguments):
    meta = {} if key is None else {"idempotencyKey": key}
    return modern(place, "tools/call", {"name": "once_do", "arguments": arguments}, meta=meta)


def in_legacy(place, key, **arguments):
    meta = {} if key is None else {"_meta": {"idempotencyKey": key}}
    return legacy(place, "tools/call", {"name": "once_do", "arguments": arguments, **meta})


@pytest.mark.parametrize("post", [in_modern, in_legacy])
@pytest.mark.parametrize("door", [by_door, by_view])
async def test_a_key_in_meta_answers_the_same_call_again_without_running_it(place, post, door):
    first = (await door(post(place, "k1", text="x"))).result
    again = (await door(post(place, "k1", text="x"))).result
    assert first["structuredContent"] == again["structuredContent"] == {"did": "x", "times": 1}
    assert again["_meta"]["idempotent"] == "replayed" and "idempotent" not in first.get("_meta", {})
    refused = (await door(post(place, "k1", text="y"))).result
    assert refused["isError"] and "idempotency_key_reused" in refused["content"][0]["text"]
    assert (await door(post(place, "k2", text="x"))).result["structuredContent"]["times"] == 2
    for _ in range(2):
        await door(post(place, None, text="x"))
    assert times(place.tenant, "x") == 4


@pytest.mark.parametrize("post", [in_modern, in_legacy])
@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", 7, ["k"], {"k": 1}])
async def test_a_key_that_is_none_is_an_invalid_parameter_and_nothing_runs(place, post, key):
    error = (await by_door(post(place, key, text="x"))).error
    assert error["code"] == -32602 and "idempotencyKey" in error["message"]
    assert times(place.tenant, "x") == 0


async def test_the_eras_share_a_key(place):
    await by_door(in_modern(place, "k", text="x"))
    assert (await by_door(in_legacy(place, "k", text="x"))).result["_meta"]["idempotent"] == "replayed"


def test_the_rest_api_takes_the_key_as_a_header_and_says_that_it_replayed(place):
    def post(key):
        return Client().post(
            f"/api/v1/tenants/{place.tenant.slug}/call-tool",
            data={"name": "once_do", "arguments": {"text": "x"}}, content_type="application/json",
            headers={"Authorization": f"Bearer {place.key}", "Idempotency-Key": key},
        )  # fmt: skip

    first, again = post("k"), post("k")
    assert first.status_code == again.status_code == 200, first.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json()["structured_content"] == again.json()["structured_content"]
    assert post("x" * 201).status_code == 400
    assert times(place.tenant, "x") == 1
    mcp = send(in_modern(place, "k", text="x")).result
    assert mcp["_meta"]["idempotent"] == "replayed"


def test_two_tasks_with_one_key_run_once(place, monkeypatch):
    queued = queued_here(monkeypatch)
    answers = []
    for _ in range(2):
        post = call(place, "once_begin", meta={**DECLARED, "idempotencyKey": "k"}, text="task")
        task_id = send(post).result["taskId"]
        assert queued.pop() == task_id
        run(str(place.tenant.pk), task_id)
        answers.append(stand(place, task_id)["result"])
    assert [answer["structuredContent"] for answer in answers] == [{"times": 1}] * 2
    assert answers[1]["_meta"]["idempotent"] == "replayed"
    assert times(place.tenant, "task") == 1
    assert "replayed" not in json.dumps(answers[0])
