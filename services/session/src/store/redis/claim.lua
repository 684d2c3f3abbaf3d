-- holder, milliseconds after which a silent holder is dead, the last entry that went to the holder's client
if not exists() then return 'gone' end
local holder = field('g_holder')
if holder and holder ~= ARGV[1] and now() < count('g_seen') + tonumber(ARGV[2]) then return '' end
redis.call('HSET', STATE, 'g_holder', ARGV[1], 'g_seen', now())
local cursor = field('g_cursor') or '0-0'
if not below(cursor, ARGV[3]) then return cursor end
redis.call('HSET', STATE, 'g_cursor', ARGV[3])
return ARGV[3]
