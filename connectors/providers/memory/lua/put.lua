-- Store entries, all or none. ARGV: 3 [key, value, key, value, ...] as JSON, 4 ttl (ms, 0 never),
-- 5 "absent", "present" or "" (for one entry), 6-9 limits.
-- Answers {"ok", how many are new, expiry} or {"kept", the value that is there} or no_room().
local entries, expires, mode = cjson.decode(ARGV[3]), moment(ARGV[4]), ARGV[5]
local more = sweep()
if mode ~= '' then
  local there = redis.call('GET', DATA .. entries[1])
  if (mode == 'absent') == (there ~= false) then
    return { 'kept', there }
  end
end

local keys, members = {}, {}
for place = 1, #entries, 2 do
  keys[#keys + 1] = entries[place]
end
local new_keys, new_bytes, sizes = 0, 0, {}
for first = 1, #keys, CHUNK do
  local last = math.min(first + CHUNK - 1, #keys)
  local known = redis.call('HMGET', SIZES, unpack(keys, first, last))
  for place = first, last do
    local key = keys[place]
    local size = #key + #entries[2 * place]
    local before = known[place - first + 1]
    if not before then new_keys = new_keys + 1 end
    new_bytes = new_bytes + size - tonumber(before or 0)
    sizes[2 * place - 1], sizes[2 * place] = key, size
    if expires > 0 then
      members[2 * place - 1], members[2 * place] = expires, CONNECTION .. ':' .. key
    else
      members[place] = CONNECTION .. ':' .. key
    end
  end
end
local limit = over(new_keys, new_bytes, limits_from(6))
if limit then return no_room(limit, more) end

if expires > 0 then
  for place = 1, #entries, 2 do
    redis.call('SET', DATA .. entries[place], entries[place + 1], 'PXAT', expires)
  end
  in_chunks('ZADD', EXPIRIES, members)
else
  for place = 1, #entries, 2 do
    entries[place] = DATA .. entries[place]
  end
  in_chunks('MSET', nil, entries)
  in_chunks('ZREM', EXPIRIES, members)
end
in_chunks('HSET', SIZES, sizes)
count(CONNECTION, new_keys, new_bytes)
return { 'ok', new_keys, expires }
