-- milliseconds for which cancellations are remembered
if not exists() then return false end
local recent, since = {}, now() - tonumber(ARGV[1])
for _, cancel in ipairs(cmsgpack.unpack(field('cancels') or cmsgpack.pack({}))) do
  if cancel[1] > since then
    table.insert(recent, cancel[2])
    table.insert(recent, cancel[3])
  end
end
return recent
