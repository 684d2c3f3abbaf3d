-- user, ttl, call, is standalone, most entries, most bytes, oldest age, most calls, most awaited, trace, edge, key, number,
-- then of each entry: kind, final, awaits, data, takeovers, still open or '', progress or ''
local FIRST, FIELDS = 14, 7
if not owned(ARGV[1], ARGV[2]) then return {'gone', '', {}} end
local call, edge, key, number = ARGV[3], ARGV[11], ARGV[12], tonumber(ARGV[13])
local stream = stream_of(call)
local own = stream == call
local bounds = {tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])}

-- Where the entries of this very append are, if it was made before.
local function made()
  local places, before = {}, '+'
  while true do
    local chunk = redis.call('XREVRANGE', EVENTS, before, '-', 'COUNT', 64)
    if #chunk == 0 then return places end
    for _, entry in ipairs(chunk) do
      if entry[2][KEY] == key then
        table.insert(places, 1, entry[1])
      elseif #places > 0 then
        return places
      end
    end
    before = '(' .. chunk[#chunk][1]
  end
end

local owner = field('edge:' .. call)
if owner and owner ~= edge then return {'closed', '', {}} end
if owner and number > 0 and number <= count('number:' .. call) then
  local places = made()
  if not own and ARGV[FIRST] == 'o' and field('key:' .. call) == key then table.insert(places, 1, '0-0') end
  return {'ok', '', places}
end
if not owner and has_ended(call) then
  -- By this very append, or by whoever had the call after this edge.
  local places = ARGV[#ARGV - FIELDS + 2] == '1' and key ~= '' and made() or {}
  return #places > 0 and {'ok', edge, places} or {'closed', '', {}}
end
local open = ARGV[4] == '1' or owner
-- Opened by an append that its edge took for failed.
local reopened = owner and number > 0
for i = FIRST, #ARGV, FIELDS do
  if ARGV[i] == 'o' and not reopened then
    if open then return {'open', '', {}} end
    if count('calls') >= tonumber(ARGV[8]) then return {'calls', '', {}} end
    open = true
  elseif ARGV[i] ~= 'o' then
    if not open then
      -- What ends before it began must not begin any more.
      if ARGV[i + 1] == '1' and number > 0 then remember_ended(call) end
      return {'closed', '', {}}
    end
    if ARGV[i + 1] == '1' then open = false end
  end
end

local function await(id, asked)
  if redis.call('HEXISTS', STATE, 'await:' .. id) == 0 then
    if count('awaits') >= tonumber(ARGV[9]) then
      local oldest, since
      each_awaited(function(other, place)
        if not since or below(place, since) then oldest, since = other, place end
      end)
      forget_awaited(oldest)
    end
    redis.call('HINCRBY', STATE, 'awaits', 1)
  end
  redis.call('HSET', STATE, 'await:' .. id, asked .. ' ' .. call .. ' w')
  redis.call('HDEL', STATE, 'answer:' .. id)
end

local ids, ended = {}, ''
for i = FIRST, #ARGV, FIELDS do
  local kind, final, awaits, data = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local takeovers, still_open, progress = ARGV[i + 4], ARGV[i + 5], ARGV[i + 6]
  if kind == 'o' and not reopened then
    -- The call itself is state; in the log it is only the place where its stream begins.
    redis.call('HSET', STATE, 'call:' .. call, data, 'edge:' .. call, edge, 'runs:' .. call, takeovers, 'key:' .. call, key)
    redis.call('HINCRBY', STATE, 'calls', 1)
    data = ''
  elseif still_open ~= '' then
    redis.call('HSET', STATE, 'call:' .. call, still_open, 'runs:' .. call, takeovers)
  end
  if progress ~= '' then redis.call('HSET', STATE, 'progress:' .. call, progress) end
  local id = '0-0'
  -- A call without a stream of its own neither begins nor ends one.
  if kind == 'm' or own and not (kind == 'o' and reopened) then id = log(stream, kind, own and final or '0', data, ARGV[10], key, bounds) end
  if awaits ~= '' then await(awaits, id) end
  if final == '1' then
    close(call)
    ended = edge
  end
  table.insert(ids, id)
end
if number > 0 and ended == '' then redis.call('HSET', STATE, 'number:' .. call, number) end
return {'ok', ended, ids}
