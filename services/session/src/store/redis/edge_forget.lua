-- edge
local ends = redis.call('ZSCORE', LEASES, ARGV[1])
if ends and tonumber(ends) <= now() and redis.call('ZCARD', CALLS) == 0 then
  redis.call('ZREM', LEASES, ARGV[1])
end
