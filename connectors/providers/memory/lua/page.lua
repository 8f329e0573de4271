-- One step of a walk over the connection's own keys. ARGV: 3 cursor, 4 glob pattern, 5 about how many.
-- Answers {"ok", next cursor, key, key, ...}; a key that expired but was not swept is left out.
local step = redis.call('HSCAN', SIZES, ARGV[3], 'MATCH', ARGV[4], 'COUNT', ARGV[5])
local answer = { 'ok', step[1] }
for place = 1, #step[2], 2 do
  local key = step[2][place]
  if redis.call('EXISTS', DATA .. key) == 1 then
    answer[#answer + 1] = key
  end
end
return answer
