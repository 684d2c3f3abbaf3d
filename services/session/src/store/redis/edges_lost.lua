return redis.call('ZRANGEBYSCORE', LEASES, '-inf', now())
