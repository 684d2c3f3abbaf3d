-- ttl, holder or '', change or '', most entries, most bytes, oldest age
if not exists() then return 0 end
renew(ARGV[1])
trim({tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])})
if ARGV[2] ~= '' and field('g_holder') == ARGV[2] then redis.call('HSET', STATE, 'g_seen', now()) end
if ARGV[3] ~= '' and below(field('last_change'), ARGV[3]) then redis.call('HSET', STATE, 'last_change', ARGV[3]) end
return 1
