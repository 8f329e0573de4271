"""Writes at least a second apart for each credential, as GitHub asks of its clients.

docs.github.com, "Best practices for using the REST API": mutative requests wait a second for
each other, or they meet the secondary limits. All processes take their turns from Redis; while
that is away each process counts by itself.
"""

import asyncio
import time
from collections import OrderedDict
from typing import Final
from uuid import UUID

from common.redis import tenant_key
from connectors.calling import Context
from connectors.errors import RateLimited
from connectors.upstream.shared import asked

APART_S: Final = 1.0
LONGEST_S: Final = 20.0
ROOM: Final = "github-writes"
MAX_KNOWN: Final = 10_000

# The next free turn of a credential, in the server's milliseconds; nothing is taken where the wait
# is longer than the caller has. Answers the milliseconds to wait, negative where none was taken.
_TURN: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local turn = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
if turn - now > tonumber(ARGV[2]) then return now - turn end
redis.call('SET', KEYS[1], turn + ARGV[1], 'PX', math.floor(turn - now + ARGV[1]) + 1000)
return turn - now
"""

_own: "OrderedDict[tuple[UUID, UUID, str], float]" = OrderedDict()


async def take_turn(ctx: Context, apart_s: float | None = None) -> None:
    """Wait for this credential's turn to write. Raises RateLimited where it comes too late."""
    apart = APART_S if apart_s is None else apart_s
    patience = max(0.0, min(LONGEST_S, ctx.deadline - time.monotonic() - 1.0))
    place = (ctx.connection.tenant_id, ctx.connection.id, ctx.identity)
    key = tenant_key(place[0], ROOM, place[1].hex, place[2])
    said = await asked(
        lambda client: client.eval(_TURN, 1, key, int(apart * 1000), int(patience * 1000))  # type: ignore[arg-type]
    )
    wait = _own_turn(place, apart, patience) if said is None else int(said) / 1000
    if wait < 0:
        raise RateLimited(
            "Too many writes to GitHub wait for their turn; nothing was sent.",
            code="write_pace",
            retryable=True,
            retry_after=round(-wait, 1),
            hint="GitHub wants a second between writes: come back then, or change several files in one commit.",
        )
    if wait:
        await asyncio.sleep(wait)


def turns_left(ctx: Context) -> int:
    """How many writes a call has time for at most."""
    return int(max(0.0, ctx.deadline - time.monotonic() - 1.0) / max(APART_S, 0.001))


def _own_turn(place: tuple[UUID, UUID, str], apart: float, patience: float) -> float:
    now = time.monotonic()
    turn = max(now, _own.get(place, 0.0))
    if turn - now > patience:
        return now - turn
    _own[place] = turn + apart
    _own.move_to_end(place)
    while len(_own) > MAX_KNOWN:
        _own.popitem(last=False)
    return turn - now
