-- What is in use. Answers {"ok", tenant's keys, tenant's bytes, connection's keys, connection's bytes,
-- keys of the tenant with an expiry} after forgetting what has expired, or {"again"}.
if sweep() then return { 'again' } end
local used = totals()
return { 'ok', used[1], used[2], used[3], used[4], redis.call('ZCARD', EXPIRIES) }
