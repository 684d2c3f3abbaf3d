-- up to, most entries, most bytes, then of each change: id, data, trace
if not exists() then return -1 end
local last, appended = field('last_change'), 0
for i = 4, #ARGV, 3 do
  if below(last, ARGV[i]) then
    log('g', 'c', '0', ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[2]), tonumber(ARGV[3]))
    appended = appended + 1
  end
end
if below(last, ARGV[1]) then redis.call('HSET', STATE, 'last_change', ARGV[1]) end
return appended
