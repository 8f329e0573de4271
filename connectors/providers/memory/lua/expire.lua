-- Give keys a new time to live. ARGV: 3 [key, ...] as JSON, 4 ttl (ms, 0 never).
-- Answers {"ok", how many are there, expiry}.
local expires, found = moment(ARGV[4]), 0
for _, key in ipairs(cjson.decode(ARGV[3])) do
  local member = CONNECTION .. ':' .. key
  if redis.call('EXISTS', DATA .. key) == 1 then
    found = found + 1
    if expires > 0 then
      redis.call('PEXPIREAT', DATA .. key, expires)
      redis.call('ZADD', EXPIRIES, expires, member)
    else
      redis.call('PERSIST', DATA .. key)
      redis.call('ZREM', EXPIRIES, member)
    end
  end
end
return { 'ok', found, expires }
