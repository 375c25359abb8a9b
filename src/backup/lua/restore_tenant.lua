-- Puts back the tenant itself, under new tokens: what processes know under the old ones may be newer, or of another
-- list. Events that wait there to be put into the stream stay.
--
-- KEYS[1] tenant   KEYS[2] number of cases of an earlier tenant of that id
-- ARGV[1] random part of the tokens   then for each: ARGV[n] field, ARGV[n + 1] value; no tokens
-- Reply: none
--
-- @include store/clock
-- @include records/change
local kept = { domains = true, state = true, events = true, cases = true }
local there = redis.call('HEXISTS', KEYS[1], 'createdAt') == 1
-- No case is to have the number of an earlier one.
local cases = math.max(tonumber(redis.call('HGET', KEYS[1], 'cases') or 0), tonumber(redis.call('GET', KEYS[2]) or 0))
for at = 2, #ARGV, 2 do
  kept[ARGV[at]] = true
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
end
if cases > tonumber(redis.call('HGET', KEYS[1], 'cases') or 0) then redis.call('HSET', KEYS[1], 'cases', cases) end
if not there then redis.call('HSET', KEYS[1], 'domains', new_token(ARGV[1])) end
change_tenant(KEYS[1], 'state', ARGV[1])
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not kept[field] then redis.call('HDEL', KEYS[1], field) end
end
