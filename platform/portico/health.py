"""``/healthz`` says that the process lives, ``/readyz`` that it can serve; neither tells secrets."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import redis.asyncio
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from common.db import in_db
from common.redis import async_client
from common.writer import writer

CHECK_TIMEOUT_S = 2.0
# Anybody may ask: one round of checks serves all who ask within this time.
REMEMBERED_S = 0.5

_PING = "portico.ping"
_migrated = False
_last: tuple[float, dict[str, str]] | None = None
_locks: dict[int, asyncio.Lock] = {}


def _ping_handler(payloads: Sequence[Any]) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return [None] * len(payloads)


writer.register(_PING, _ping_handler, order=0)


def pending_migrations() -> list[str]:
    """Names of migrations that the database has not seen."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


async def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every part answers, else 503; ``checks`` names each with ok or a short reason."""
    checks = await readiness()
    ready = all(state == "ok" for state in checks.values())
    return JsonResponse(
        {"status": "ok" if ready else "unavailable", "checks": checks},
        status=200 if ready else 503,
        headers={"Cache-Control": "no-store"},
    )


async def readiness() -> dict[str, str]:
    """Each part's state, remembered for half a second."""
    global _last
    async with _lock():
        if _last is not None and time.monotonic() - _last[0] < REMEMBERED_S:
            return _last[1]
        names = ("database", "migrations", "redis", "broker", "audit_writer")
        probes: tuple[Callable[[], Awaitable[str]], ...] = (_database, _migrations, _redis, _broker, _writer)
        states = await asyncio.gather(*(_guarded(probe) for probe in probes))
        result = dict(zip(names, states, strict=True))
        _last = (time.monotonic(), result)
        return result


def _lock() -> asyncio.Lock:
    return _locks.setdefault(id(asyncio.get_running_loop()), asyncio.Lock())


async def _guarded(probe: Callable[[], Awaitable[str]]) -> str:
    """The probe's answer within its time; never a message of a driver, which may hold a password."""
    try:
        return await asyncio.wait_for(probe(), CHECK_TIMEOUT_S)
    except TimeoutError:
        return "no answer in time"
    except Exception as error:
        return f"failed ({type(error).__name__})"


def _select() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")


async def _database() -> str:
    await in_db(_select)
    return "ok"


async def _migrations() -> str:
    global _migrated
    if not _migrated:  # a database is never migrated back under a running process
        pending = await in_db(pending_migrations)
        if pending:
            return f"{len(pending)} to apply; run manage.py migrate"
        _migrated = True
    return "ok"


async def _redis() -> str:
    await async_client().ping()
    return "ok"


async def _broker() -> str:
    if settings.CELERY_BROKER_URL == settings.REDIS_URL:
        return await _redis()
    client = redis.asyncio.Redis.from_url(
        settings.CELERY_BROKER_URL, socket_timeout=CHECK_TIMEOUT_S, socket_connect_timeout=CHECK_TIMEOUT_S
    )
    try:
        await client.ping()
    finally:
        await client.aclose()
    return "ok"


async def _writer() -> str:
    """A write through the audit's own thread: it lives, and the database takes its transaction."""
    await writer.submit_async(_PING, None)
    return "ok"
