-- holder, the last entry that went out
if not exists() then return -1 end
if field('g_holder') ~= ARGV[1] then return 0 end
redis.call('HDEL', STATE, 'g_holder', 'g_seen')
redis.call('HSET', STATE, 'g_cursor', ARGV[2])
return 1
