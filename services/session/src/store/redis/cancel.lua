-- user, ttl, request id, reason, most cancellations
if not owned(ARGV[1], ARGV[2]) then return 0 end
local kept = {}
for _, cancel in ipairs(cmsgpack.unpack(field('cancels') or cmsgpack.pack({}))) do
  if cancel[2] ~= ARGV[3] then table.insert(kept, cancel) end
end
if #kept >= tonumber(ARGV[5]) then table.remove(kept, 1) end
table.insert(kept, {now(), ARGV[3], ARGV[4]})
redis.call('HSET', STATE, 'cancels', cmsgpack.pack(kept))
return 1
