"""Kept results in Redis, for all processes: one encrypted value each, bounded per tenant."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from redis.exceptions import NoScriptError

from common.redis import async_client, sync_client, tenant_key
from connectors.upstream.cache.plans import Plan
from connectors.upstream.cache.scripts import CLEAR, FORGET, KEEP, LAST, LOOK, UNLOCK

ROOM: Final = "cache"
MAX_ENTRIES: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_VALUE: Final = 1024 * 1024
MAX_MARKS: Final = 20_000  # forgotten tags that are told apart; the oldest then count as all
LIFE_S: Final = 86_400  # beyond its time a result is the last good answer
LOCK_S: Final = 5.0  # a system that is slower than this may be asked by another process too


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found: a fresh result (``sealed``), or from when on one may be read.

    ``leads`` tells whether this caller is the one to ask the system.
    """

    sealed: bytes | None = None
    age_s: float = 0.0
    fresh_s: float = 0.0
    leads: bool = False
    began: int = 0


def new_token() -> str:
    """What a lock is held by."""
    return secrets.token_hex(8)


async def look(plan: Plan, token: str, *, refresh: bool = False) -> Look:
    """Look for a fresh result; where there is none, try to be the one who asks the system."""
    got = await run(LOOK, plan.tenant_id, plan.member, token, int(LOCK_S * 1000), int(refresh), *plan.marks)
    if got[0] == 1:
        return Look(got[3], got[1] / 1e6, got[2] / 1e6)
    return Look(leads=got[0] == 2, began=got[1])


async def keep(plan: Plan, token: str, began: int, sealed: bytes) -> tuple[bool, int]:
    """Store a result that was read from ``began`` on; whether it was not outdated, and how many went for it."""
    kept, evicted = await run(
        KEEP, plan.tenant_id, plan.member, token, began, plan.ttl_s * 1_000_000, LIFE_S * 1_000_000,
        MAX_ENTRIES, MAX_BYTES, sealed, *plan.marks,
    )  # fmt: skip
    return bool(kept), evicted


async def last_good(plan: Plan, token: str) -> tuple[bytes, float] | None:
    """The newest result that was not forgotten, however old, with its age in seconds; ends the lock."""
    got = await run(LAST, plan.tenant_id, plan.member, token, *plan.marks)
    return (got[1], got[0] / 1e6) if got else None


async def unlock(plan: Plan, token: str) -> None:
    """Let others ask the system."""
    await run(UNLOCK, plan.tenant_id, plan.member, token)


async def forget(
    tenant_id: UUID, marks: Iterable[str], took_s: float, also: Iterable[str]
) -> tuple[int, bool]:
    """Outdate all that was begun before now and has one of the marks.

    Returns the moment, and whether somebody else did the same to one of ``marks`` or ``also``
    in the last ``took_s`` seconds.
    """
    moment, others = await run(FORGET, tenant_id, *forget_arguments(marks, took_s, also))
    return moment, bool(others)


def clear(tenant_id: UUID, prefix: str) -> int:
    """Delete results at once, those whose member begins with ``prefix``; from a thread."""
    deleted: int = run_sync(CLEAR, tenant_id, prefix)
    return deleted


def forget_arguments(marks: Iterable[str], took_s: float = 0.0, also: Iterable[str] = ()) -> list[Any]:
    """The arguments of the script that forgets."""
    found = list(marks)
    return [int(took_s * 1e6), MAX_MARKS, len(found), *found, *also]


_shas: dict[str, str] = {}


def _sha(script: str) -> str:
    found = _shas.get(script)
    if found is None:
        found = _shas[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    return found


async def run(script: str, tenant_id: UUID, *arguments: Any) -> Any:
    """A script over a tenant's results, by its digest where Redis has it already."""
    client, base = async_client(), tenant_key(tenant_id, ROOM)
    try:
        return await client.evalsha(_sha(script), 1, base, *arguments)  # type: ignore[misc]
    except NoScriptError:
        return await client.eval(script, 1, base, *arguments)  # type: ignore[misc]


def run_sync(script: str, tenant_id: UUID, *arguments: Any) -> Any:
    """As :func:`run`, from a thread."""
    client, base = sync_client(), tenant_key(tenant_id, ROOM)
    try:
        return client.evalsha(_sha(script), 1, base, *arguments)
    except NoScriptError:
        return client.eval(script, 1, base, *arguments)
