-- holder, where its last page ended or '', most entries, most bytes
if not exists() then return {'gone'} end
if field('g_holder') ~= ARGV[1] then return {'other'} end
local after = ARGV[2] ~= '' and ARGV[2] or field('g_cursor') or '0-0'
local taken = page('g', after, tonumber(ARGV[3]), tonumber(ARGV[4]))
local entries = taken[3]
-- The cursor is always a place of this stream, so that it is also an event id.
if #entries > 0 then redis.call('HSET', STATE, 'g_cursor', entries[#entries][1]) end
return {'ok', taken}
