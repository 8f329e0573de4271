-- Delete keys. ARGV: 3 [key, ...] as JSON. Answers {"ok", how many were there}.
local keys = cjson.decode(ARGV[3])
local gone, gone_keys, gone_bytes = 0, 0, 0
for _, key in ipairs(keys) do
  gone = gone + redis.call('UNLINK', DATA .. key)
  local size = redis.call('HGET', SIZES, key)
  if size then
    redis.call('HDEL', SIZES, key)
    redis.call('ZREM', EXPIRIES, CONNECTION .. ':' .. key)
    gone_keys, gone_bytes = gone_keys + 1, gone_bytes + tonumber(size)
  end
end
count(CONNECTION, -gone_keys, -gone_bytes)
return { 'ok', gone }
