-- What all scripts on one session share. KEYS: owner, state, events; all in one slot.
-- A script is atomic, so every operation on a session is.
local OWNER, STATE, EVENTS = KEYS[1], KEYS[2], KEYS[3]
-- Mirrors ENTRY_OVERHEAD_BYTES of the store.
local OVERHEAD = 64
-- About a hundred names of calls.
local ENDED_BYTES = 4096
-- Where the fields of a log entry stand.
local STREAM, KIND, FINAL, FOLLOWS, DATA, TRACE, KEY = 2, 4, 6, 8, 10, 12, 14

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Places in the log and in the change feed, "ms-seq", compare as numbers.
local function below(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  if a_ms ~= b_ms then return a_ms < b_ms end
  return tonumber(a_seq) < tonumber(b_seq)
end

local function field(name) return redis.call('HGET', STATE, name) end
local function count(name) return tonumber(field(name) or '0') end

local function renew(ttl)
  for _, key in ipairs({OWNER, STATE, EVENTS}) do redis.call('PEXPIRE', key, ttl) end
end

-- Half a session, as eviction may leave it, is none.
local function exists() return redis.call('EXISTS', OWNER, STATE) == 2 end

local function owned(user, ttl)
  if redis.call('GET', OWNER) ~= user or not exists() then return false end
  renew(ttl)
  return true
end

local function describe()
  local subscriptions = {}
  if count('subs') > 0 then
    for _, name in ipairs(redis.call('HKEYS', STATE)) do
      if string.sub(name, 1, 4) == 'sub:' then
        table.insert(subscriptions, string.sub(name, 5))
        table.insert(subscriptions, field(name))
      end
    end
  end
  local base = redis.call('HMGET', STATE, 'protocol_version', 'client_info', 'client_capabilities',
    'log_level', 'initialized', 'created_at_ms', 'last_change')
  return {redis.call('GET', OWNER), base, subscriptions}
end

-- Where the messages of a call go. Mirrors StreamName::of_messages.
local function stream_of(call) return string.sub(call, 1, 2) == 'g_' and 'g' or call end

-- Lets the oldest entries go. `bounds`: most entries, most bytes, oldest age; the newest entry stays.
local function trim(bounds)
  local entries, bytes = redis.call('XLEN', EVENTS), count('log_bytes')
  local oldest_ms = now() - bounds[3]
  while entries > 1 do
    local oldest = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)[1]
    local ms = tonumber(string.match(oldest[1], '^%d+'))
    if entries <= bounds[1] and bytes <= bounds[2] and ms >= oldest_ms then return end
    redis.call('XDEL', EVENTS, oldest[1])
    redis.call('HSET', STATE, 'log_trimmed', oldest[1])
    bytes = redis.call('HINCRBY', STATE, 'log_bytes', -(OVERHEAD + #oldest[2][DATA] + #oldest[2][TRACE]))
    entries = entries - 1
  end
end

local function log(stream, kind, final, data, trace, key, bounds)
  local follows = field('last:' .. stream) or '0-0'
  local id = redis.call('XADD', EVENTS, '*', 's', stream, 'k', kind, 'f', final, 'p', follows, 'd', data, 't', trace,
    'u', key)
  redis.call('HSET', STATE, 'last:' .. stream, id)
  redis.call('HINCRBY', STATE, 'log_bytes', OVERHEAD + #data + #trace)
  if redis.call('XLEN', EVENTS) == 1 then redis.call('PEXPIRE', EVENTS, redis.call('PTTL', OWNER)) end
  trim(bounds)
  return id
end

-- Entries of one stream behind a place: {reached, more, entries}.
local function page(stream, after, max_entries, max_bytes)
  local entries, bytes, reached = {}, 0, after
  while true do
    local chunk = redis.call('XRANGE', EVENTS, '(' .. reached, '+', 'COUNT', 64)
    if #chunk == 0 then return {reached, 0, entries} end
    for _, entry in ipairs(chunk) do
      if #entries >= max_entries or bytes >= max_bytes then return {reached, 1, entries} end
      reached = entry[1]
      local fields = entry[2]
      -- An opening entry is a place, not an event.
      if fields[STREAM] == stream and fields[KIND] ~= 'o' then
        bytes = bytes + OVERHEAD + #fields[DATA] + #fields[TRACE]
        table.insert(entries, {entry[1], fields[KIND], fields[FINAL], fields[DATA], fields[TRACE]})
      end
    end
  end
end

-- Requests that wait for an answer: `await:<id>` holds "<place> <call> <w(aiting)|a(nswered)|t(aken)>".
local function each_awaited(visit)
  if count('awaits') == 0 then return end
  for _, name in ipairs(redis.call('HKEYS', STATE)) do
    if string.sub(name, 1, 6) == 'await:' then
      local asked, call, state = string.match(field(name), '^(%S+) (%S+) (%a)$')
      visit(string.sub(name, 7), asked, call, state)
    end
  end
end

local function forget_awaited(id)
  redis.call('HDEL', STATE, 'await:' .. id, 'answer:' .. id)
  redis.call('HINCRBY', STATE, 'awaits', -1)
end

-- The calls that ended last, newest first: what comes late must not open them again.
local function has_ended(call)
  return string.find(' ' .. (field('ended') or ''), ' ' .. call .. ' ', 1, true) ~= nil
end

local function remember_ended(call)
  redis.call('HSET', STATE, 'ended', string.sub(call .. ' ' .. (field('ended') or ''), 1, ENDED_BYTES))
end

local function close(call)
  remember_ended(call)
  -- `last:` is the call's own stream's, where it has one.
  for _, of in ipairs({'last:', 'call:', 'edge:', 'runs:', 'key:', 'number:', 'taken:', 'progress:'}) do
    redis.call('HDEL', STATE, of .. call)
  end
  redis.call('HINCRBY', STATE, 'calls', -1)
  each_awaited(function(id, _, of) if of == call then forget_awaited(id) end end)
end
