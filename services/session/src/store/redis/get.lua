-- user, ttl
if not owned(ARGV[1], ARGV[2]) then return false end
return describe()
