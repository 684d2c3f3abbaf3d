-- user, ttl, stream, cursor
if not owned(ARGV[1], ARGV[2]) then return false end
local stream, cursor = ARGV[3], ARGV[4]
local at_final = 0
local here = redis.call('XRANGE', EVENTS, cursor, cursor)[1]
if here and here[2][STREAM] == stream and here[2][FINAL] == '1' then at_final = 1 end
local follows, scanned = '', cursor
while follows == '' do
  local chunk = redis.call('XRANGE', EVENTS, '(' .. scanned, '+', 'COUNT', 64)
  if #chunk == 0 then break end
  for _, entry in ipairs(chunk) do
    scanned = entry[1]
    if entry[2][STREAM] == stream then
      follows = entry[2][FOLLOWS]
      break
    end
  end
end
return {follows, field('last:' .. stream) or '', at_final, field('log_trimmed') or '0-0'}
