-- Add to an integer. ARGV: 3 key, 4 INCRBY or DECRBY, 5 amount, 6 ttl of a new key (ms, 0 never),
-- 7-10 limits. Answers {"ok", value as text, 1 when the key is new} or {"bad", reason} or no_room().
-- The value comes back as text: Lua's numbers are floats and lose digits above 2^53.
local key, expires = ARGV[3], moment(ARGV[6])
local name, more = DATA .. key, sweep()
local before = redis.call('GET', name)
local done = redis.pcall(ARGV[4], name, ARGV[5])
if type(done) == 'table' and done.err then
  return { 'bad', done.err }
end
local value = redis.call('GET', name)
local known = redis.call('HGET', SIZES, key)
local size = #key + #value
local new_keys, new_bytes = known and 0 or 1, size - tonumber(known or 0)
local limit = over(new_keys, new_bytes, limits_from(7))
if limit then
  if before then
    redis.call('SET', name, before, 'KEEPTTL')
  else
    redis.call('UNLINK', name)
  end
  return no_room(limit, more)
end
if before then
  redis.call('HSET', SIZES, key, size)
else
  if expires > 0 then redis.call('PEXPIREAT', name, expires) end
  note(key, size, expires)
end
count(CONNECTION, new_keys, new_bytes)
return { 'ok', value, before and 0 or 1 }
