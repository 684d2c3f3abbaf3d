-- user, ttl, holder, cursor or ''
if not owned(ARGV[1], ARGV[2]) then return false end
local before = field('g_holder') or ''
redis.call('HSET', STATE, 'g_holder', ARGV[3], 'g_seen', now())
if ARGV[4] ~= '' then redis.call('HSET', STATE, 'g_cursor', ARGV[4]) end
return {field('g_cursor') or '0-0', before}
