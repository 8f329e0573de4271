"""The step in Redis: one script checks every limit of a call and debits all of them or none.

A moving window is a list, oldest first, of ``end count sum``: how many calls fell into one part
of time, by its last millisecond, and how many into all up to it. Sums make the use of a window the difference of
its two ends, so that a call costs the same whether ten or a million fit. A month is a number.
Time is the server's own, the same for all processes.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import redis.asyncio
from redis.exceptions import NoScriptError

from connectors.limiting.rules import Due
from connectors.limiting.verdict import EXACT, Refusal, Verdict

MONTH_GRACE_S: Final = 86_400

_COMMON: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function parse(text)
  local b, c, s = string.match(text, '^(%d+) (%d+) (%d+)$')
  return tonumber(b), tonumber(c), tonumber(s)
end
local function line(b, c, s) return string.format('%d %d %d', b, c, s) end
local function part_of(moment, period, calls)
  local grain = 1
  if calls > GRAINS then grain = math.max(1, math.floor(period / GRAINS)) end
  return (math.floor(moment / grain) + 1) * grain - 1
end
local function used(key, period)
  while true do
    local first = redis.call('LINDEX', key, 0)
    if not first then return 0, 0, 0 end
    local b, c, s = parse(first)
    if b + period > now then
      local _, _, all = parse(redis.call('LINDEX', key, -1))
      return all - s + c, s - c, b + period - now
    end
    redis.call('LPOP', key)
  end
end
""".replace("GRAINS", str(EXACT))

# KEYS: a counter per due, then the interval's where there is one.
# ARGV: interval, patience (both ms), then period (0: month), calls, cost of each due.
# Answers {0, wait, now, slot}, {1, place, used, free in, ...} or {2, places without a counter...}.
TAKE: Final = (
    _COMMON
    + """
local function free_in(key, period, base, surplus)
  local i = 0
  while true do
    local found = redis.call('LINDEX', key, i)
    if not found then return period end
    local b, _, s = parse(found)
    if s - base >= surplus then return b + period - now end
    i = i + 1
  end
end
local interval, patience = tonumber(ARGV[1]), tonumber(ARGV[2])
local n = #KEYS
if interval > 0 then n = n - 1 end
local missing, refused = {2}, {1}
local function refuse(i, u, free)
  table.insert(refused, i); table.insert(refused, u); table.insert(refused, free)
end
local function due(i)
  local at = 3 * i
  return tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
end
for i = 1, n do
  local period, calls, cost = due(i)
  if period == 0 then
    local found = tonumber(redis.call('GET', KEYS[i]) or '')
    if not found then table.insert(missing, i)
    elseif found + cost > calls then refuse(i, found, -1) end
  else
    local u, base = used(KEYS[i], period)
    if u + cost > calls then refuse(i, u, free_in(KEYS[i], period, base, u + cost - calls)) end
  end
end
local slot = now
if interval > 0 then
  slot = math.max(now, tonumber(redis.call('GET', KEYS[n + 1]) or '0'))
  if slot - now > patience then refuse(n + 1, 0, slot - now) end
end
if #refused > 1 then return refused end
if #missing > 1 then return missing end
for i = 1, n do
  local period, calls, cost = due(i)
  if period == 0 then
    redis.call('INCRBY', KEYS[i], cost)
  else
    local part = part_of(now, period, calls)
    local last = redis.call('LINDEX', KEYS[i], -1)
    local b, c, s = -1, 0, 0
    if last then b, c, s = parse(last) end
    if b >= part then redis.call('LSET', KEYS[i], -1, line(b, c + cost, s + cost))
    else redis.call('RPUSH', KEYS[i], line(part, cost, s + cost)) end
    redis.call('PEXPIRE', KEYS[i], part - now + period + 1000)
  end
end
if interval > 0 then
  redis.call('SET', KEYS[n + 1], string.format('%d', slot + interval), 'PX', slot - now + interval + 1000)
end
return {0, slot - now, now, slot}
"""
)

# KEYS as above. ARGV: interval, slot (0: it was used), when it was taken, then period, calls and cost.
GIVE_BACK: Final = (
    _COMMON
    + """
local interval, slot, taken = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local n = #KEYS
if interval > 0 then n = n - 1 end
for i = 1, n do
  local period, calls, cost = tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2]), tonumber(ARGV[3 * i + 3])
  if period == 0 then
    if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('DECRBY', KEYS[i], cost) end
  else
    local part, later, at = part_of(taken, period, calls), {}, -1
    local found = redis.call('LINDEX', KEYS[i], at)
    while found do
      local b, c, s = parse(found)
      if b < part then break end
      -- Never below 0: Redis may have lost the debit that is given back.
      later[at] = line(b, c, math.max(0, s - cost))
      if b == part then
        later[at] = line(b, math.max(0, c - cost), math.max(0, s - cost))
        for index, text in pairs(later) do redis.call('LSET', KEYS[i], index, text) end
        break
      end
      at = at - 1
      found = redis.call('LINDEX', KEYS[i], at)
    end
  end
end
if interval > 0 and slot > 0 then
  if tonumber(redis.call('GET', KEYS[n + 1]) or '0') == slot + interval then
    redis.call('SET', KEYS[n + 1], string.format('%d', slot), 'PX', math.max(1, slot - now) + 1000)
  end
end
return 0
"""
)

# KEYS: counters. ARGV: period of each. Answers used (-1: no counter) and ms until its oldest part leaves.
LOOK: Final = (
    _COMMON
    + """
local said = {}
for i = 1, #KEYS do
  local period = tonumber(ARGV[i])
  if period == 0 then
    table.insert(said, tonumber(redis.call('GET', KEYS[i]) or '-1')); table.insert(said, 0)
  else
    local u, _, free = used(KEYS[i], period)
    table.insert(said, u); table.insert(said, free)
  end
end
return said
"""
)

# Adds to a month's counter what was counted elsewhere, where there is one.
ADD: Final = "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('INCRBY', KEYS[1], ARGV[1]) end"

_DIGESTS: Final = {text: hashlib.sha1(text.encode()).hexdigest() for text in (TAKE, GIVE_BACK)}  # noqa: S324


async def _run(client: "redis.asyncio.Redis", text: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
    try:
        return await client.evalsha(_DIGESTS[text], len(keys), *keys, *args)  # type: ignore[misc]
    except NoScriptError:
        return await client.eval(text, len(keys), *keys, *args)  # type: ignore[misc]


def asked(
    dues: Sequence[Due], interval_key: str, interval_ms: int, *numbers: int
) -> tuple[list[str], list[int]]:
    """Keys and arguments of both scripts: the interval, ``numbers``, and each due's."""
    keys = [due.key for due in dues]
    if interval_ms:
        keys.append(interval_key)
    args = [interval_ms, *numbers]
    for due in dues:
        args += (due.rule.period_ms, due.rule.calls, due.cost)
    return keys, args


def verdict_of(answer: Sequence[int]) -> Verdict:
    """What :data:`TAKE` said."""
    kind, *rest = answer
    if kind == 0:
        return Verdict(now_ms=rest[1], wait_ms=rest[0], slot_ms=rest[2])
    if kind == 2:
        return Verdict(missing=tuple(place - 1 for place in rest))
    return Verdict(
        refusals=tuple(Refusal(rest[i] - 1, rest[i + 1], rest[i + 2]) for i in range(0, len(rest), 3))
    )


async def take(
    client: "redis.asyncio.Redis", dues: Sequence[Due], interval_key: str, interval_ms: int, patience_ms: int
) -> Verdict:
    """Check and debit in Redis. Raises what the client raises."""
    return verdict_of(await _run(client, TAKE, *asked(dues, interval_key, interval_ms, patience_ms)))


async def give_back(
    client: "redis.asyncio.Redis",
    dues: Sequence[Due],
    interval_key: str,
    interval_ms: int,
    slot_ms: int,
    taken_ms: int,
) -> None:
    """Undo a debit of a call that was not executed after all; ``slot_ms`` 0 keeps the interval's turn."""
    await _run(client, GIVE_BACK, *asked(dues, interval_key, interval_ms, slot_ms, taken_ms))


async def seed(client: "redis.asyncio.Redis", key: str, used: int, ends: float) -> None:
    """Begin a month's counter, unless another process did; it goes a day after the month."""
    await client.set(key, used, nx=True, exat=int(ends) + MONTH_GRACE_S)


async def add(client: "redis.asyncio.Redis", key: str, used: int) -> None:
    """Count what was debited while Redis was away, where the month's counter outlived that."""
    await client.eval(ADD, 1, key, used)  # type: ignore[misc]
