-- edge
redis.call('ZADD', LEASES, 'XX', now(), ARGV[1])
