-- stream, edge, most entries, most bytes
if not exists() or field('edge:' .. ARGV[1]) ~= ARGV[2] then return false end
local call = field('call:' .. ARGV[1])
local id = log(ARGV[1], 'i', '1', call, '', tonumber(ARGV[3]), tonumber(ARGV[4]))
close(ARGV[1])
return {call, id}
