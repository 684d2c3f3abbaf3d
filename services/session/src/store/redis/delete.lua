-- user, ttl
if not owned(ARGV[1], ARGV[2]) then return 0 end
redis.call('UNLINK', OWNER, STATE, EVENTS)
return 1
