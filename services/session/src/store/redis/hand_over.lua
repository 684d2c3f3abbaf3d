-- user, ttl, call, edge, nobody
if not owned(ARGV[1], ARGV[2]) then return -1 end
if field('edge:' .. ARGV[3]) ~= ARGV[4] or count('runs:' .. ARGV[3]) == 0 then return 0 end
redis.call('HSET', STATE, 'edge:' .. ARGV[3], ARGV[5])
return 1
