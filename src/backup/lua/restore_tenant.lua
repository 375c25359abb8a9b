-- Puts back the tenant itself, under new tokens: what processes know under the old ones may be newer, or of another
-- list. Events that wait there to be put into the stream stay.
--
-- KEYS[1] tenant
-- ARGV[1] random part of the tokens   then for each: ARGV[n] field, ARGV[n + 1] value; no tokens
-- Reply: none
--
-- @include clock
-- @include change
local kept = { domains = true, state = true, events = true }
local there = redis.call('HEXISTS', KEYS[1], 'createdAt') == 1
for at = 2, #ARGV, 2 do
  kept[ARGV[at]] = true
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
end
if not there then redis.call('HSET', KEYS[1], 'domains', new_token(ARGV[1])) end
change_tenant(KEYS[1], 'state', ARGV[1])
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not kept[field] then redis.call('HDEL', KEYS[1], field) end
end
