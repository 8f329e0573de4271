-- Append to a JSON list. ARGV: 3 key, 4 the items as JSON without the outer brackets, 5 most bytes of
-- a value, 6 ttl of a new list (ms, 0 never), 7-10 limits. Answers {"ok", the list as JSON, 1 when new}
-- or {"bad", reason} or no_room(). Values are stored without spaces, so only the end is written.
local key, items, expires = ARGV[3], ARGV[4], moment(ARGV[6])
local name, more = DATA .. key, sweep()
local length = redis.call('STRLEN', name)
local offset, text = 0, '[' .. items .. ']'
if length > 0 then
  if redis.call('GETRANGE', name, 0, 0) ~= '[' then return { 'bad', 'no list' } end
  offset, text = length - 1, (length > 2 and ',' or '') .. items .. ']'
end
if offset + #text > tonumber(ARGV[5]) then return { 'bad', 'too large' } end
local known = redis.call('HGET', SIZES, key)
local size = #key + offset + #text
local new_keys, new_bytes = known and 0 or 1, size - tonumber(known or 0)
local limit = over(new_keys, new_bytes, limits_from(7))
if limit then return no_room(limit, more) end
redis.call('SETRANGE', name, offset, text)
if length > 0 then
  redis.call('HSET', SIZES, key, size)
else
  if expires > 0 then redis.call('PEXPIREAT', name, expires) end
  note(key, size, expires)
end
count(CONNECTION, new_keys, new_bytes)
return { 'ok', redis.call('GET', name), length > 0 and 0 or 1 }
