from common.redis import async_client, sync_client, tenant_key
from connectors.providers.memory.purge import purge_connection, purge_tenant
from tests.providers.memory.conftest import Maker


async def test_a_deleted_connection_leaves_nothing_and_takes_nothing_with_it(connection: Maker) -> None:
    gone = connection()
    stays = connection(gone.tenant, "second")
    data = {f"k{n}": n for n in range(1500)}
    await gone.cache_mset(data=data, ttl=60)
    await stays.cache_mset(data=data)
    assert purge_connection(gone.tenant.pk, gone.ctx.connection.id) == 1500
    assert purge_connection(gone.tenant.pk, gone.ctx.connection.id) == 0
    pattern = f"*{gone.ctx.connection.id.hex}*"
    assert [key async for key in async_client().scan_iter(match=pattern, count=1000)] == []
    info = await stays.cache_info()
    assert (info["tenant_keys"], info["keys"]) == (1500, 1500)
    totals = sync_client().hkeys(tenant_key(gone.tenant.pk, "memory", "totals"))
    assert not any(gone.ctx.connection.id.hex.encode() in name for name in totals)


async def test_a_deleted_tenants_memory_goes_as_a_whole(connection: Maker) -> None:
    first, stranger = connection(), connection()
    second = connection(first.tenant, "second")
    for bench in (first, second, stranger):
        await bench.cache_mset(data={f"k{n}": n for n in range(1200)}, ttl=60)
    assert purge_tenant(first.tenant.pk) > 2400
    assert await first.counted() == (0, 0)
    assert (await second.cache_info())["tenant_keys"] == 0
    assert (await stranger.counted())[0] == 1200
