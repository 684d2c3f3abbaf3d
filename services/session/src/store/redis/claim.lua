-- holder, milliseconds after which a silent holder is dead
if not exists() then return -1 end
local holder = field('g_holder')
if holder and holder ~= ARGV[1] and now() < count('g_seen') + tonumber(ARGV[2]) then return 0 end
redis.call('HSET', STATE, 'g_holder', ARGV[1], 'g_seen', now())
return 1
