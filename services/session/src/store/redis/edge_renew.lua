-- edge, lease
redis.call('ZADD', LEASES, now() + tonumber(ARGV[2]), ARGV[1])
keep()
