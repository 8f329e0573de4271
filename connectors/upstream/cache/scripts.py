"""What happens in Redis, each in one step.

A tenant's keys begin with one base: ``:v:<member>`` are values (a head of 48 digits: when it was
begun to be read, stored, and until when it is fresh, in microseconds of the server; then the
sealed result), ``:index`` orders the members by the time of storing, ``:sizes`` and ``:bytes``
count, ``:forgot`` says of each mark when it was last forgotten, ``:lock:<member>`` who asks the
system. ``:clock`` never goes back, and moves with every forgetting: of two moments it always
says which was first, also within one microsecond or when the server's clock is set back.
"""

from typing import Final

_HEAD: Final = """
local base = KEYS[1]
local t = redis.call('TIME')
local us = t[1] * 1000000 + t[2]
local function digits(n) return string.format('%016.0f', n) end
local function clock() return tonumber(redis.call('GET', base .. ':clock') or '0') end
local function forgotten(began, first)
  for i = first, #ARGV do
    local at = redis.call('ZSCORE', base .. ':forgot', ARGV[i])
    if at and tonumber(at) > began then return true end
  end
  return false
end
local function drop(member)
  local size = redis.call('HGET', base .. ':sizes', member)
  redis.call('ZREM', base .. ':index', member)
  if size then
    redis.call('HDEL', base .. ':sizes', member)
    redis.call('DECRBY', base .. ':bytes', size)
  end
  return redis.call('DEL', base .. ':v:' .. member)
end
local function unlock(member, token)
  local key = base .. ':lock:' .. member
  if redis.call('GET', key) == token then redis.call('DEL', key) end
end
local KEPT = 90000
"""

# member, token, lock ms, refresh (0 or 1), marks -> {1, age µs, fresh µs, sealed} | {2 or 3, began}
LOOK: Final = (
    _HEAD
    + """
local member = ARGV[1]
local v = redis.call('GET', base .. ':v:' .. member)
if v then
  local fresh = tonumber(string.sub(v, 33, 48))
  if forgotten(tonumber(string.sub(v, 1, 16)), 5) then
    drop(member)
  elseif fresh > us and ARGV[4] == '0' then
    return {1, us - tonumber(string.sub(v, 17, 32)), fresh - us, string.sub(v, 49)}
  end
end
local now = clock()
if us > now then
  now = us
  redis.call('SET', base .. ':clock', digits(us), 'EX', KEPT)
end
local mine = redis.call('SET', base .. ':lock:' .. member, ARGV[2], 'NX', 'PX', ARGV[3])
return {mine and 2 or 3, now}
"""
)

# member, token, began, ttl µs, life µs, most entries, most bytes, sealed, marks -> {kept, evicted}
KEEP: Final = (
    _HEAD
    + """
local member, began, life = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[5])
unlock(member, ARGV[2])
if forgotten(began, 9) then return {0, 0} end
local v = redis.call('GETRANGE', base .. ':v:' .. member, 0, 15)
if v ~= '' and tonumber(v) > began then return {0, 0} end
drop(member)
local data = digits(began) .. digits(us) .. digits(us + tonumber(ARGV[4])) .. ARGV[8]
redis.call('SET', base .. ':v:' .. member, data, 'PX', string.format('%.0f', life / 1000))
redis.call('ZADD', base .. ':index', us, member)
redis.call('HSET', base .. ':sizes', member, #data + 300)
redis.call('INCRBY', base .. ':bytes', #data + 300)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', base .. ':index', '-inf', us - life, 'LIMIT', 0, 100)) do
  drop(old)
end
local evicted = 0
while redis.call('ZCARD', base .. ':index') > tonumber(ARGV[6])
    or tonumber(redis.call('GET', base .. ':bytes') or '0') > tonumber(ARGV[7]) do
  local oldest = redis.call('ZRANGE', base .. ':index', 0, 0)[1]
  if not oldest then redis.call('DEL', base .. ':bytes') break end
  drop(oldest)
  evicted = evicted + 1
end
for _, name in ipairs({':index', ':sizes', ':bytes'}) do redis.call('EXPIRE', base .. name, KEPT) end
return {1, evicted}
"""
)

# member, token, marks -> {age µs, sealed} of the last good result, or nothing; the lock is given back
LAST: Final = (
    _HEAD
    + """
unlock(ARGV[1], ARGV[2])
local v = redis.call('GET', base .. ':v:' .. ARGV[1])
if not v or forgotten(tonumber(string.sub(v, 1, 16)), 3) then return false end
return {us - tonumber(string.sub(v, 17, 32)), string.sub(v, 49)}
"""
)

# member, token
UNLOCK: Final = _HEAD + "unlock(ARGV[1], ARGV[2]) return 0"

# µs since it began, most marks, how many are forgotten, those, further marks to look at
# -> {the moment, whether somebody else forgot one of all these marks in between}
FORGET: Final = (
    _HEAD
    + """
local name, count = base .. ':forgot', tonumber(ARGV[3])
local now = math.max(clock() + 1, us)
local others = forgotten(us - tonumber(ARGV[1]), 4) and 1 or 0
for i = 4, 3 + count do redis.call('ZADD', name, digits(now), ARGV[i]) end
redis.call('SET', base .. ':clock', digits(now), 'EX', KEPT)
redis.call('ZREMRANGEBYSCORE', name, '-inf', us - KEPT * 1000000)
local extra = redis.call('ZCARD', name) - tonumber(ARGV[2])
if extra > 0 then
  local upto = redis.call('ZRANGE', name, extra - 1, extra - 1, 'WITHSCORES')[2]
  local all = redis.call('ZSCORE', name, '*')
  redis.call('ZREMRANGEBYRANK', name, 0, extra - 1)
  if not all or tonumber(all) < tonumber(upto) then redis.call('ZADD', name, upto, '*') end
end
redis.call('EXPIRE', name, KEPT)
return {now, others}
"""
)

# the beginning of members ('' for all) -> how many results were deleted
CLEAR: Final = (
    _HEAD
    + """
local deleted = 0
for _, member in ipairs(redis.call('ZRANGE', base .. ':index', 0, -1)) do
  if string.sub(member, 1, #ARGV[1]) == ARGV[1] then deleted = deleted + drop(member) end
end
return deleted
"""
)
