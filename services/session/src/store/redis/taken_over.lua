-- call, edge
local call = ARGV[1]
if not exists() or field('edge:' .. call) ~= ARGV[2] or not field('taken:' .. call) then
  return {'other', '', '', '', '', {}}
end
return {'taken', '', redis.call('GET', OWNER), field('call:' .. call), field('progress:' .. call) or '', {}}
