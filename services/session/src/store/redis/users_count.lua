-- KEYS: sessions of the user, by the Redis time at which they may have ended. time to live, session ids...
local time = redis.call('TIME')
local ends = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[1])
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], math.max(24 * 3600 * 1000, 2 * tonumber(ARGV[1])))
return redis.call('ZCARD', KEYS[1])
