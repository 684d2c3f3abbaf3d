-- edge, first lease of an edge that has no link yet, call
redis.call('ZADD', LEASES, 'NX', now() + tonumber(ARGV[2]), ARGV[1])
-- Calls of sessions that expired leave no other trace.
redis.call('ZREMRANGEBYSCORE', CALLS, '-inf', now() - DAY)
redis.call('ZADD', CALLS, now(), ARGV[3])
keep()
