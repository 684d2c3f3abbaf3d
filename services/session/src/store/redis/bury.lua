-- call, edge, the edge that takes it or '', most entries, most bytes, oldest age
local call, to = ARGV[1], ARGV[3]
local function taken(asked)
  return {'taken', '', redis.call('GET', OWNER), field('call:' .. call), field('progress:' .. call) or '', asked}
end
-- Moved by a try whose answer was lost.
if to ~= '' and exists() and field('edge:' .. call) == to and field('taken:' .. call) then return taken({}) end
if not exists() or field('edge:' .. call) ~= ARGV[2] then return {'other', '', '', '', '', {}} end
if count('runs:' .. call) == 0 then
  local stream = stream_of(call)
  local bounds = {tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])}
  local id = log(stream, 'i', stream == call and '1' or '0', field('call:' .. call), '', '', bounds)
  close(call)
  return {'interrupted', id, '', '', '', {}}
end
if to == '' then return {'waiting', '', '', '', '', {}} end
redis.call('HINCRBY', STATE, 'runs:' .. call, -1)
redis.call('HSET', STATE, 'edge:' .. call, to, 'taken:' .. call, '1')
-- Its new edge counts from the beginning.
redis.call('HDEL', STATE, 'number:' .. call)
local asked = {}
each_awaited(function(id, _, of, state)
  if of == call then
    if state == 'w' then table.insert(asked, id) end
    forget_awaited(id)
  end
end)
return taken(asked)
