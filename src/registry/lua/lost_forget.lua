-- Forgets what processes have reported of a Redis that went back in time.
--
-- KEYS[1] lost
-- ARGV[1] the time in µs of the acceptance by which all of it is resolved; or old: only a report of a day ago, if all that Redis had lost was put back or withdrawn
-- Reply: none
--
-- @include store/clock
local lost_key = KEYS[1]
local DAY = 86400000

local fields = redis.call('HKEYS', lost_key)
if ARGV[1] == 'old' then
  local since = tonumber(redis.call('HGET', lost_key, 'since'))
  if not since or since > now_ms() - DAY then return end
  for _, field in ipairs(fields) do
    if string.find(field, '^lost ') or string.find(field, '^missing ') then return end
  end
end
for _, field in ipairs(fields) do redis.call('HDEL', lost_key, field) end
if ARGV[1] ~= 'old' then redis.call('HSET', lost_key, 'accepted', ARGV[1]) end
