-- user, ttl, most subscriptions, number of fields, number of new subscriptions,
-- (field, value)..., (uri, since)..., uris to remove...
if not owned(ARGV[1], ARGV[2]) then return {'gone'} end
local fields, new, total, added, removed = tonumber(ARGV[4]), tonumber(ARGV[5]), count('subs'), {}, {}
local first_new = 6 + 2 * fields
local first_removed = first_new + 2 * new
local function known(uri) return redis.call('HEXISTS', STATE, 'sub:' .. uri) == 1 end
for i = first_new, first_removed - 1, 2 do
  local uri = ARGV[i]
  if not known(uri) and not added[uri] then
    added[uri] = ARGV[i + 1]
    total = total + 1
  end
end
for i = first_removed, #ARGV do
  local uri = ARGV[i]
  if added[uri] then
    added[uri] = nil
    total = total - 1
  elseif known(uri) and not removed[uri] then
    removed[uri] = true
    total = total - 1
  end
end
if new > 0 and total > tonumber(ARGV[3]) then return {'limit'} end
for i = 6, first_new - 1, 2 do redis.call('HSET', STATE, ARGV[i], ARGV[i + 1]) end
for uri, since in pairs(added) do redis.call('HSET', STATE, 'sub:' .. uri, since) end
for uri in pairs(removed) do redis.call('HDEL', STATE, 'sub:' .. uri) end
redis.call('HSET', STATE, 'subs', total)
return {'ok', describe()}
