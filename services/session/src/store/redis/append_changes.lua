-- up to, most entries, most bytes, oldest age, then of each change: id, data, trace
if not exists() then return -1 end
local last, appended = field('last_change'), 0
local bounds = {tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])}
for i = 5, #ARGV, 3 do
  if below(last, ARGV[i]) then
    log('g', 'c', '0', ARGV[i + 1], ARGV[i + 2], '', bounds)
    appended = appended + 1
  end
end
if below(last, ARGV[1]) then redis.call('HSET', STATE, 'last_change', ARGV[1]) end
return appended
