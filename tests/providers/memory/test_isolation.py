"""Nothing that a caller can write reaches another connection, another tenant or the rest of Redis."""

import uuid

import pytest
import redis.asyncio

from common.redis import async_client, tenant_key
from connectors.errors import ConnectionFailed, InvalidInput
from connectors.providers.memory import store
from connectors.providers.memory.settings import MemorySettings
from tenants.models import Tenant
from tests.providers.memory.conftest import Bench, Maker

ODD = [
    "*", "?", "[", "[^", "[a-z]*", "\\", "\\*", "**", "portico:*", "portico:*:memory:*", "*:k:*", ":", "::k::",
    "../other", "sizes", "expiries", "totals", "k:*", "{tenant}", "]", "a]b[c", "0", "\u2028", "' OR 1=1",
]  # fmt: skip


async def test_flush_and_patterns_leave_every_neighbour_untouched(connection: Maker) -> None:
    tenant = Tenant(slug="portico", name="*")
    mine, neighbour = connection(tenant, "memory"), connection(tenant, "second")
    stranger = connection(Tenant(slug="portico-x", name="portico:*"), "memory")
    client = async_client()
    outside = tenant_key(tenant.pk, "cache", "entry")
    await client.set(outside, "kept")
    data = {key: key for key in ODD}
    for bench in (mine, neighbour, stranger):
        await bench.cache_mset(data=data, ttl=600)
    for pattern in [
        *ODD,
        f"*{neighbour.ctx.connection.id.hex}*",
        f"portico:{stranger.tenant.pk.hex}:*",
        "?*",
        "[!x]*",
    ]:
        await mine.cache_delete_pattern(pattern=pattern)
    await mine.cache_mset(data=data)
    await mine.cache_delete(keys=ODD)
    await mine.cache_mset(data=data)
    assert (await mine.cache_flush(confirm=True))["deleted"] == len(ODD)
    assert await mine.counted() == (0, 0)
    for bench in (neighbour, stranger):
        assert (await bench.cache_mget(keys=ODD))["values"] == data
        assert (await bench.counted())[0] == len(ODD)
    assert await client.get(outside) == b"kept"
    await client.delete(outside)


@pytest.mark.parametrize("key", ODD)
async def test_an_odd_key_is_just_a_key(memory: Bench, key: str) -> None:
    await memory.cache_mset(data={"plain": 1, "other": 2})
    await memory.cache_set(key=key, value=key, ttl=60)
    assert (await memory.cache_get(key=key))["value"] == key
    assert (await memory.cache_keys())["count"] == 3
    assert (await memory.cache_delete(keys=[key]))["deleted"] == 1
    assert await memory.counted() == (2, 12)


async def test_connections_whose_names_look_alike_share_nothing(connection: Maker) -> None:
    tenant = Tenant(slug="same", name="same")
    first, second = connection(tenant, "mem"), connection(tenant, "mem2")
    await first.cache_set(key="2:k:x", value="first")
    await second.cache_set(key="x", value="second")
    assert (await first.cache_get(key="x"))["found"] is False
    assert (await first.cache_keys())["items"] == ["2:k:x"]
    assert (await second.cache_keys(pattern="*"))["items"] == ["x"]


async def test_all_keys_of_a_connection_lie_under_its_tenants_prefix(memory: Bench) -> None:
    client = async_client()
    await memory.cache_mset(data=dict.fromkeys(ODD, 1), ttl=60)
    await memory.cache_append_list(key="portico:", items=[1])
    prefix = tenant_key(memory.tenant.pk, "memory", "")
    mine = {key async for key in client.scan_iter(match=f"*{memory.tenant.pk.hex}*", count=1000)}
    assert len(mine) == len(ODD) + 1 + 3  # the values and the three parts of the index
    assert all(key.startswith(prefix.encode()) for key in mine)


async def test_keys_is_never_sent_to_the_server(memory: Bench) -> None:
    client = async_client()
    await memory.cache_mset(data={f"k{n}": n for n in range(50)})
    before = await client.info("commandstats")
    await memory.cache_keys()
    await memory.cache_scan()
    await memory.cache_delete_pattern(pattern="k1*")
    await memory.cache_flush(confirm=True)
    after = await client.info("commandstats")
    for command in ("cmdstat_keys", "cmdstat_flushdb", "cmdstat_flushall"):
        assert after.get(command) == before.get(command)
    assert after["cmdstat_hscan"]["calls"] > before.get("cmdstat_hscan", {"calls": 0})["calls"]


async def test_a_server_that_forgot_the_scripts_is_taught_them_again(memory: Bench) -> None:
    await memory.cache_set(key="k", value=1)
    await async_client().script_flush()
    assert (await memory.cache_incr(key="k"))["value"] == 2


async def test_a_server_that_is_down_is_named_with_a_next_step(
    memory: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = redis.asyncio.Redis.from_url(f"unix:///tmp/{uuid.uuid4().hex}.sock")
    monkeypatch.setattr(store, "async_client", lambda: nowhere)
    for call in (
        memory.cache_get(key="k"),
        memory.cache_set(key="k", value=1),
        memory.cache_incr(key="k"),
        memory.cache_ping(),
    ):
        with pytest.raises(ConnectionFailed) as failed:
            await call
        assert failed.value.retryable and failed.value.hint
        assert ".sock" not in failed.value.message
    result = await memory.connector.check(memory.ctx)
    assert not result.ok and "cannot be reached" in result.message
    monkeypatch.undo()


async def test_a_lost_answer_is_asked_for_again_only_where_that_does_no_harm(
    memory: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = async_client()
    asked: list[str] = []

    class DropsFirstAnswer:
        """The real client, whose first answer gets lost on the way."""

        def __init__(self) -> None:
            self.lost = False

        async def _pass(self, name: str, *arguments: object) -> object:
            asked.append(name)
            answer = await getattr(real, name)(*arguments)
            if not self.lost:
                self.lost = True
                raise redis.exceptions.ConnectionError("Connection closed by server.")
            return answer

        def __getattr__(self, name: str) -> object:
            return lambda *arguments: self._pass(name, *arguments)

    await memory.cache_incr(key="n")
    await memory.cache_set(key="warm", value=1)
    for call, repeated in (("get", True), ("set", True), ("incr", False)):
        asked.clear()
        client = DropsFirstAnswer()
        monkeypatch.setattr(store, "async_client", lambda client=client: client)
        if call == "get":
            assert (await memory.cache_get(key="n"))["value"] == 1
        elif call == "set":
            assert (await memory.cache_set(key="s", value=1))["stored"]
        else:
            with pytest.raises(ConnectionFailed) as failed:
                await memory.cache_incr(key="n")
            assert not failed.value.retryable and "cache_get" in failed.value.hint
        assert (len(asked) == 2) is repeated
    monkeypatch.setattr(store, "async_client", async_client)
    assert (await memory.cache_get(key="n"))["value"] == 2


async def test_a_redis_that_drops_data_when_full_fails_the_check(memory: Bench) -> None:
    client = async_client()
    before = (await client.config_get("maxmemory-policy"))["maxmemory-policy"]
    await client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        result = await memory.connector.check(memory.ctx)
    finally:
        await client.config_set("maxmemory-policy", before)
    assert not result.ok and "noeviction" in result.message


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValueError, match="extra"):
        MemorySettings(max_key=5)


async def test_a_delete_without_keys_is_refused(memory: Bench) -> None:
    with pytest.raises(InvalidInput):
        await memory.cache_delete(keys=[])
