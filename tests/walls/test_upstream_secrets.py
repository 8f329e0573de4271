"""What lies in Redis and the database of a tenant says nothing to who reads it, nor in another place."""

import base64
import json

import pytest
from django.apps import apps
from pydantic import SecretStr

from common.db import in_db
from common.redis import sync_client, tenant_key
from connectors.call_info import CallInfo
from connectors.pipeline import call_tool
from connectors.upstream.cache.copies import copies
from tests.api.test_api import client
from tests.connectors.test_caller_tokens import VENDOR as VENDOR
from tests.factories import make_caller, make_connection, make_key, make_tenant, unique
from tests.upstream.conftest import sandbox  # noqa: F401  a fixture
from tests.upstream.faulty import answer, faulty
from tests.upstream.kept import Place


@pytest.fixture
async def system():
    async with faulty() as here:
        here.decide = lambda came: answer(
            200, json.dumps({"of": len(here.came), "word": "planted-Zq7"}).encode()
        )
        yield here


def values(place):
    prefix = f"{place.base}:v:".encode()
    return sorted(
        key for key in sync_client().scan_iter(f"{place.base}:v:*", count=1000) if key.startswith(prefix)
    )


def transplant(source, target):
    """Copy what is kept under one name to another, as who writes Redis might."""
    redis = sync_client()
    redis.set(target, redis.get(source), px=60_000)
    copies.clear()


async def test_a_kept_value_answers_nowhere_but_in_its_own_place(system):
    one, two = [await in_db(Place, system.url) for _ in range(2)]
    for place in (one, two):
        await place.call("kept_item", number=1)
    await one.call("kept_item", number=2)
    mine, other = await in_db(values, one)
    (theirs,) = await in_db(values, two)
    assert len(system.came) == 3
    for source, target, place, number in ((mine, theirs, two, 1), (mine, other, one, None)):
        await in_db(transplant, source, target)
        before = len(system.came)
        found = [(await place.call("kept_item", number=n)).structured["item"]["of"] for n in ((number,) if number else (1, 2))]  # fmt: skip
        assert len(system.came) == before + 1, "a value answered in a place that is not its own"
        assert before + 1 in found


async def test_a_value_of_another_credential_or_connection_does_not_answer_either(system):
    place = await in_db(Place, system.url)
    second = await in_db(
        lambda: make_connection(
            place.tenant, "kept", "again", settings={"url": system.url}, credential={"token": "x"}
        )
    )
    await place.call("kept_item", number=1)
    (first,) = await in_db(values, place)
    await place.call("again__kept_item", number=1)
    (other,) = [key for key in await in_db(values, place) if key != first]
    assert second.pk.hex.encode() in other
    await in_db(transplant, first, other)
    before = len(system.came)
    assert (await place.call("again__kept_item", number=1)).structured["item"]["of"] == before + 1


async def test_nothing_of_a_kept_result_is_in_redis_in_the_clear(system):
    place = await in_db(Place, system.url)
    await place.call("kept_item", number=1, fields="planted-Zq7-argument")

    def dump():
        redis, found = sync_client(), b""
        for key in redis.scan_iter(f"portico:{place.tenant.pk.hex}:*", count=1000):
            found += key + (redis.dump(key) or b"")
            if redis.type(key) == b"string":
                found += redis.get(key)
        return found

    assert b"planted-Zq7" not in await in_db(dump)


async def test_a_call_with_a_key_answers_the_token_that_it_was_made_with_alone():
    tenant = await in_db(make_tenant)
    await in_db(lambda: make_connection(tenant, "vendor", credential_mode="none", caller_token=True))
    caller = await in_db(make_caller, tenant)

    async def write(token):
        info = CallInfo("r1", tokens={"vendor": SecretStr(token)}, idempotency_key="1")
        return await call_tool(caller, "vendor_write", {}, info=info)

    assert (await write("token-of-AAAA")).structured == {"used": "AAAA"}
    assert (await write("token-of-AAAA")).meta == {"idempotent": "replayed"}
    other = await write("token-of-BBBB")
    assert other.is_error and json.loads(other.content[0].text)["code"] == "idempotency_key_reused"


def test_no_signing_secret_lies_in_the_database_in_the_clear():
    tenant = make_tenant()
    api = client(make_key(tenant, "admin")[1])
    target = {"kind": "webhook", "name": unique("n"), "address": "https://hooks.example.com/planted-path-Kx4"}
    made = api.post(
        f"/api/v1/tenants/{tenant.slug}/alert-targets",
        target,
        format="json",
        headers={"Idempotency-Key": unique()},
    ).json()
    secret = made["secret"]
    again = api.post(f"/api/v1/tenants/{tenant.slug}/alert-targets/{made['id']}/secret", format="json").json()
    listed = api.get(f"/api/v1/tenants/{tenant.slug}/alert-targets").content.decode()
    assert "whsec_" not in listed
    raw = [base64.b64decode(text.removeprefix("whsec_")) for text in (secret, again["secret"])]
    for model in apps.get_models():
        if model._meta.app_label not in ("connectors", "tenants", "audit"):
            continue
        rows = getattr(model, "unscoped", model._default_manager).order_by("-pk")[:500]
        for row in rows.values():
            for value in row.values():
                text = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                assert b"whsec_" not in text and not any(key in text for key in raw), model
                if model._meta.app_label == "audit":
                    assert b"planted-path-Kx4" not in text


async def test_what_is_kept_is_under_its_tenants_name_and_ends_by_itself(system):
    place = await in_db(Place, system.url)
    await place.call("kept_item", number=1)
    (kept,) = await in_db(values, place)
    assert kept.startswith(tenant_key(place.tenant.pk, "cache").encode())
    assert 0 < await in_db(sync_client().ttl, kept) <= 90_000
