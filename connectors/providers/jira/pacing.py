"""Writes to one issue not faster than Jira takes them: 20 in 2 seconds, 100 in 30.

https://developer.atlassian.com/cloud/jira/platform/rate-limiting/ ("Per-issue write limits")
All processes take their turns from Redis; while that is away each process counts by itself.
"""

import asyncio
import re
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from common.redis import tenant_key
from connectors.calling import Context
from connectors.errors import RateLimited
from connectors.upstream.requests import Request
from connectors.upstream.shared import asked

# Calls, and within how many milliseconds: a little longer than Jira's, for the time on the way.
SHORT: Final = (20, 2_100)
LONG: Final = (100, 30_500)
PATIENCE_S: Final = 3.0  # who would wait longer is told when to come back
ROOM: Final = "jira-writes"
MAX_KNOWN: Final = 5_000
_ISSUE: Final = re.compile(r"rest/api/[23]/issue/([A-Za-z][A-Za-z0-9_]*-[0-9]+)(?:/|$)")

# Of each issue the moments of its last writes, in the server's milliseconds, also those to come.
# The turn of a write is when it is the 21st of 2 seconds or the 101st of 30 no more; nothing is
# taken where the wait is longer than the caller has (a negative answer).
_TURN: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local turn = now
for _, key in ipairs(KEYS) do
  for i = 1, 3, 2 do
    local at = redis.call('LINDEX', key, -tonumber(ARGV[i]))
    if at then turn = math.max(turn, tonumber(at) + tonumber(ARGV[i + 1])) end
  end
end
if turn - now > tonumber(ARGV[5]) then return now - turn end
for _, key in ipairs(KEYS) do
  redis.call('RPUSH', key, turn)
  redis.call('LTRIM', key, -tonumber(ARGV[3]), -1)
  redis.call('PEXPIRE', key, math.floor(turn - now + ARGV[4]))
end
return turn - now
"""

_own: "OrderedDict[tuple[UUID, UUID, str], deque[float]]" = OrderedDict()


def issues_of(request: Request) -> list[str]:
    """The keys of the issues that a request writes to, as far as it names them."""
    if found := _ISSUE.match(request.path):
        return [found[1]]
    body = request.json if isinstance(request.json, dict) else {}
    named: Iterable[Any] = ()
    if request.path.startswith("rest/agile/"):
        named = body.get("issues") or ()
    elif request.path.endswith("/issueLink"):
        named = [(body.get(side) or {}).get("key") for side in ("inwardIssue", "outwardIssue")]
    return [key for key in dict.fromkeys(named) if isinstance(key, str)]


async def take_turn(ctx: Context, issues: list[str]) -> None:
    """Wait until these issues may be written to. Raises RateLimited where that is too late; nothing is sent."""
    if not issues:
        return
    patience = max(0.0, min(PATIENCE_S, ctx.deadline - time.monotonic() - 1.0))
    place = (ctx.connection.tenant_id, ctx.connection.id)
    keys = [tenant_key(place[0], ROOM, place[1].hex, issue) for issue in issues]
    said = await asked(
        lambda client: client.eval(_TURN, len(keys), *keys, *SHORT, *LONG, int(patience * 1000))  # type: ignore[arg-type]
    )
    wait = _own_turn(place, issues, patience) if said is None else int(said) / 1000
    if wait < 0:
        raise RateLimited(
            f"Too many writes to {', '.join(issues[:5])} in a short time; nothing was sent.",
            code="issue_write_pace",
            retryable=True,
            retry_after=round(-wait, 1),
            hint="Jira takes 20 writes to an issue in 2 s and 100 in 30 s: come back then, or change several "
            "fields in one call of jira_update_issue.",
        )
    if wait:
        await asyncio.sleep(wait)


def _own_turn(place: tuple[UUID, UUID], issues: list[str], patience: float) -> float:
    """The same by this process's own count, in seconds."""
    now = time.monotonic()
    lists = [_own.setdefault((*place, issue), deque(maxlen=LONG[0])) for issue in issues]
    turn = max(
        [
            now,
            *(
                times[-most] + ms / 1000
                for times in lists
                for most, ms in (SHORT, LONG)
                if len(times) >= most
            ),
        ]
    )
    if turn - now > patience:
        return now - turn
    for issue, times in zip(issues, lists, strict=True):
        times.append(turn)
        _own.move_to_end((*place, issue))
    while len(_own) > MAX_KNOWN:
        _own.popitem(last=False)
    return turn - now
