-- user, ttl, fields and values of the state
redis.call('SET', OWNER, ARGV[1], 'PX', ARGV[2])
redis.call('HSET', STATE, unpack(ARGV, 3))
redis.call('PEXPIRE', STATE, ARGV[2])
