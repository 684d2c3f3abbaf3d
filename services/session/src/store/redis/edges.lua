-- What scripts on edges share. KEYS: leases, calls of the edge; all in one slot.
-- Leases are a sorted set, edge by the Redis time at which its lease ends; so no service's clock matters.
local LEASES, CALLS = KEYS[1], KEYS[2]
local DAY = 24 * 3600 * 1000

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function keep()
  redis.call('PEXPIRE', LEASES, DAY)
  if CALLS then redis.call('PEXPIRE', CALLS, DAY) end
end
