-- edge
for _, edge in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '(' .. now(), '+inf')) do
  if edge ~= ARGV[1] then return 1 end
end
return 0
