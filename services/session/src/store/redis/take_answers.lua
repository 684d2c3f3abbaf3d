-- edge, again, request ids that it names...
if not exists() then return false end
local named, answers = {}, {}
for i = 3, #ARGV do named[ARGV[i]] = true end
each_awaited(function(id, asked, call, state)
  if state == 'w' then return end
  local own = field('edge:' .. call) == ARGV[1]
  if (named[id] or own) and (state == 'a' or ARGV[2] == '1') then
    redis.call('HSET', STATE, 'await:' .. id, asked .. ' ' .. call .. ' t')
    table.insert(answers, id)
    table.insert(answers, field('answer:' .. id))
  end
end)
return answers
