-- user, ttl, request id, response
if not owned(ARGV[1], ARGV[2]) then return -1 end
local awaited = field('await:' .. ARGV[3])
if not awaited or string.sub(awaited, -1) ~= 'w' then return 0 end
redis.call('HSET', STATE, 'await:' .. ARGV[3], string.sub(awaited, 1, -2) .. 'a', 'answer:' .. ARGV[3], ARGV[4])
return 1
