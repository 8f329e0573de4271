-- Shared by every script: the index that keeps counts true although Redis expires keys alone.
--
-- KEYS[1] expiries  sorted set of the tenant: "<connection>:<key>" scored by its expiry (ms)
-- KEYS[2] totals    hash of the tenant: keys, bytes, <connection>:keys, <connection>:bytes
-- KEYS[3] sizes     hash of the connection: key -> bytes (key and value together)
-- ARGV[1] base      "portico:<tenant>:memory:"
-- ARGV[2] connection's id in hex (32 characters)
local EXPIRIES, TOTALS, SIZES = KEYS[1], KEYS[2], KEYS[3]
local BASE, CONNECTION = ARGV[1], ARGV[2]
local DATA = BASE .. CONNECTION .. ':k:'
local SWEEP = 1000 -- entries per script, so that nobody waits long for somebody else's sweep
local CHUNK = 1000 -- arguments per command: Lua's stack is limited

local time = redis.call('TIME')
local NOW = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- One command over a long list of arguments, CHUNK of them at a time (CHUNK is even).
local function in_chunks(command, key, arguments)
  for first = 1, #arguments, CHUNK do
    local last = math.min(first + CHUNK - 1, #arguments)
    if key then
      redis.call(command, key, unpack(arguments, first, last))
    else
      redis.call(command, unpack(arguments, first, last))
    end
  end
end

local function count(connection, keys, bytes)
  if keys ~= 0 then
    redis.call('HINCRBY', TOTALS, 'keys', keys)
    redis.call('HINCRBY', TOTALS, connection .. ':keys', keys)
  end
  if bytes ~= 0 then
    redis.call('HINCRBY', TOTALS, 'bytes', bytes)
    redis.call('HINCRBY', TOTALS, connection .. ':bytes', bytes)
  end
end

-- Forget what has expired, in all connections of the tenant; true when more may be waiting.
local function sweep()
  local due = redis.call('ZRANGEBYSCORE', EXPIRIES, '-inf', string.format('(%.0f', NOW), 'LIMIT', 0, SWEEP)
  if #due == 0 then
    return false
  end
  local keys, bytes = {}, {}
  for _, member in ipairs(due) do
    local connection, key = string.sub(member, 1, 32), string.sub(member, 34)
    local sizes = BASE .. connection .. ':sizes'
    local size = redis.call('HGET', sizes, key)
    if size then
      redis.call('HDEL', sizes, key)
      redis.call('UNLINK', BASE .. connection .. ':k:' .. key)
      keys[connection] = (keys[connection] or 0) + 1
      bytes[connection] = (bytes[connection] or 0) + tonumber(size)
    end
  end
  in_chunks('ZREM', EXPIRIES, due)
  for connection, gone in pairs(keys) do
    count(connection, -gone, -bytes[connection])
  end
  return #due == SWEEP
end

-- keys and bytes in use: by the tenant, then by the connection.
local function totals()
  local found = redis.call('HMGET', TOTALS, 'keys', 'bytes', CONNECTION .. ':keys', CONNECTION .. ':bytes')
  for place = 1, 4 do
    found[place] = tonumber(found[place] or 0)
  end
  return found
end

-- Which limit forbids so much more, or nothing. Limits: the connection's, then the tenant's.
-- What does not grow is always allowed: a limit that was lowered must not lock data in.
local function over(keys, bytes, limits)
  local used = totals()
  if keys > 0 and used[3] + keys > limits[1] then return 'max_keys' end
  if bytes > 0 and used[4] + bytes > limits[2] then return 'max_bytes' end
  if keys > 0 and used[1] + keys > limits[3] then return 'tenant_keys' end
  if bytes > 0 and used[2] + bytes > limits[4] then return 'tenant_bytes' end
end

local function limits_from(first)
  return { tonumber(ARGV[first]), tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3]) }
end

-- Answer of a write that finds no room: "again" while expired entries still count.
local function no_room(limit, more)
  if more then return { 'again' } end
  return { 'full', limit }
end

-- The moment (ms) that lies ttl ms ahead; 0 for never.
local function moment(ttl)
  ttl = tonumber(ttl)
  if ttl == 0 then return 0 end
  return NOW + ttl
end

-- Write one new or changed key's place in the index.
local function note(key, size, expires)
  redis.call('HSET', SIZES, key, size)
  if expires > 0 then
    redis.call('ZADD', EXPIRIES, expires, CONNECTION .. ':' .. key)
  else
    redis.call('ZREM', EXPIRIES, CONNECTION .. ':' .. key)
  end
end
