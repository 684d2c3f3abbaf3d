-- user, ttl, log level or '', initialized or '', most subscriptions, number of new ones, (uri, since)..., uri...
if not owned(ARGV[1], ARGV[2]) then return {'gone'} end
local new, total, added, removed = tonumber(ARGV[6]), count('subs'), {}, {}
local function known(uri) return redis.call('HEXISTS', STATE, 'sub:' .. uri) == 1 end
for i = 7, 6 + 2 * new, 2 do
  local uri = ARGV[i]
  if not known(uri) and not added[uri] then
    added[uri] = ARGV[i + 1]
    total = total + 1
  end
end
for i = 7 + 2 * new, #ARGV do
  local uri = ARGV[i]
  if added[uri] then
    added[uri] = nil
    total = total - 1
  elseif known(uri) and not removed[uri] then
    removed[uri] = true
    total = total - 1
  end
end
if new > 0 and total > tonumber(ARGV[5]) then return {'limit'} end
for uri, since in pairs(added) do redis.call('HSET', STATE, 'sub:' .. uri, since) end
for uri in pairs(removed) do redis.call('HDEL', STATE, 'sub:' .. uri) end
redis.call('HSET', STATE, 'subs', total)
if ARGV[3] ~= '' then redis.call('HSET', STATE, 'log_level', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', STATE, 'initialized', ARGV[4]) end
return {'ok', describe()}
