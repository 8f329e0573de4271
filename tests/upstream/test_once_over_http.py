"""A client that sends a call again with its key never makes a second record, whatever the system does."""

import json
import random
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from pydantic import BaseModel

from common.db import in_db
from connectors.base import Connector, Context, tool
from connectors.call_info import CallInfo
from connectors.pipeline import call_tool
from connectors.upstream.breaker import reset as close_breakers
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind
from tests.factories import make_caller, make_connection, make_tenant
from tests.upstream.faulty import answer, faulty, half, reset


class Pairs(Connector):
    slug = "pairs"
    title = "Pairs"
    description = "Creates a record and reads it back."

    class Settings(BaseModel):
        url: str

    @tool(title="Make", hint="W", open_world=True)
    async def pairs_make(self, ctx: Context, name: str) -> dict[str, Any]:
        """A new record, as it is then."""
        client = client_of(self.connection, self.settings.url)
        await client.send(ctx, Request("POST", "records", Kind.ONCE, json={"name": name}))
        return {"record": (await client.send(ctx, Request("GET", f"records/{name}", Kind.READ))).json()}


ENTRY = "pairs=tests.upstream.test_once_over_http:Pairs"
if ENTRY not in django_settings.PORTICO_CONNECTORS:
    django_settings.PORTICO_CONNECTORS.append(ENTRY)


class Place:
    def __init__(self, url):
        self.tenant = make_tenant()
        network = {"read_s": 1.0, "retries": 0}
        self.connection = make_connection(
            self.tenant, "pairs", settings={"url": url}, credential_mode="none", network=network
        )
        self.caller = make_caller(self.tenant)

    async def make(self, key, name="x"):
        info = CallInfo("r1", idempotency_key=key)
        result = await call_tool(self.caller, "pairs_make", {"name": name}, info=info)
        return result, json.loads(result.content[0].text)


@pytest.fixture
async def place(double):
    return await in_db(Place, double.url)


def made(double, name="x"):
    return sum(came.method == "POST" and json.loads(came.body)["name"] == name for came in double.came)


@pytest.mark.parametrize("after", [reset, answer(404), answer(429), answer(503), answer(403)])
async def test_what_fails_after_a_change_is_not_run_again(place, double, after):
    double.script = [answer(201), after]
    first, said = await place.make("k")
    again, same = await place.make("k")
    assert first.is_error and again.is_error
    assert (same["type"], same["error"], same["retryable"]) == (said["type"], said["error"], False)
    assert made(double) == 1


@pytest.mark.parametrize("refusal", [answer(400), answer(403), answer(429), answer(503, retry_after="40")])
async def test_what_the_system_refused_at_once_is_run_again(place, double, refusal):
    double.script = [refusal]
    first, _ = await place.make("k")
    again, _ = await place.make("k")
    assert first.is_error
    assert made(double) == (2 if not again.is_error else 1)  # or the system asked for patience


@pytest.mark.parametrize("fault", [reset, half, answer(500), answer(502)])
async def test_a_change_whose_answer_is_lost_is_not_sent_again(place, double, fault):
    double.script = [fault]
    for _ in range(3):
        result, said = await place.make("k")
        assert result.is_error and said["retryable"] is False
    assert made(double) == 1


async def test_a_system_that_could_not_be_reached_gets_the_call_when_it_is_sent_again(double):
    async with faulty() as gone:
        place = await in_db(Place, gone.url)
    result, said = await place.make("k")
    assert result.is_error and said["retryable"]
    result, said = await place.make("k")
    assert result.is_error and said["code"] != "outcome_unknown"


async def test_no_fault_makes_two_records_of_one_key(place, double):
    chance, endings = random.Random(5), Counter()
    refusals = [answer(429, retry_after="0"), answer(400), answer(503, retry_after="0")]
    losses = [reset, half, answer(500), answer(502), answer(503)]
    for number in range(60):
        key, name, effects = str(uuid4()), f"record-{number}", 0
        for _ in range(4):
            first = chance.choice([*refusals, *losses, *[answer(201)] * 8])
            double.script = [first, chance.choice([*refusals, *losses, *[answer(200)] * 8])]
            before = made(double, name)
            result, said = await place.make(key, name)
            endings[said.get("type", "made")] += 1
            if made(double, name) > before and first not in refusals:
                effects += 1
            if not result.is_error:
                break
        close_breakers(place.tenant.pk, place.connection.pk)
        assert effects <= 1, (number, said)
    assert endings["made"] > 10 and len(endings) > 3, endings
