-- user, ttl, stream, is standalone, most entries, most bytes, most calls, most awaited, trace,
-- then of each entry: kind, final, awaits, data, edge
local stream, max_entries, max_bytes = ARGV[3], tonumber(ARGV[5]), tonumber(ARGV[6])
if not owned(ARGV[1], ARGV[2]) then return {'gone', '', {}} end
local edge = field('edge:' .. stream) or ''
local open = ARGV[4] == '1' or edge ~= ''
for i = 10, #ARGV, 5 do
  if ARGV[i] == 'o' then
    if open then return {'open', '', {}} end
    if count('calls') >= tonumber(ARGV[7]) then return {'calls', '', {}} end
    open = true
  else
    if not open then return {'closed', '', {}} end
    if ARGV[i + 1] == '1' then open = false end
  end
end

local function await(id, asked)
  if redis.call('HEXISTS', STATE, 'await:' .. id) == 0 then
    if count('awaits') >= tonumber(ARGV[8]) then
      local oldest, since
      each_awaited(function(other, place)
        if not since or below(place, since) then oldest, since = other, place end
      end)
      forget_awaited(oldest)
    end
    redis.call('HINCRBY', STATE, 'awaits', 1)
  end
  redis.call('HSET', STATE, 'await:' .. id, asked .. ' ' .. stream .. ' w')
  redis.call('HDEL', STATE, 'answer:' .. id)
end

local ids, ended = {}, ''
for i = 10, #ARGV, 5 do
  local kind, final, awaits, data = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if kind == 'o' then
    -- The call itself is state; in the log it is only the place where its stream begins.
    redis.call('HSET', STATE, 'call:' .. stream, data, 'edge:' .. stream, ARGV[i + 4])
    redis.call('HINCRBY', STATE, 'calls', 1)
    edge, data = ARGV[i + 4], ''
  end
  local id = log(stream, kind, final, data, ARGV[9], max_entries, max_bytes)
  if awaits ~= '' then await(awaits, id) end
  if final == '1' then
    close(stream)
    ended = edge
  end
  table.insert(ids, id)
end
return {'ok', ended, ids}
