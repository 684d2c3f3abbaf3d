-- stream, after, most entries, most bytes
if not exists() then return false end
return page(ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
