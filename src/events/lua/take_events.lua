-- Takes events that are in the stream by now out of the tenant's hash; those raised meanwhile stay.
--
-- KEYS[1] tenant
-- ARGV[1 …] events, as the field holds them
-- Reply: none
local waiting = redis.call('HGET', KEYS[1], 'events')
if not waiting then return end

local taken, left = {}, {}
for _, line in ipairs(ARGV) do taken[line] = true end
for line in string.gmatch(waiting, '[^\n]+') do
  if not taken[line] then left[#left + 1] = line end
end
if #left > 0 then
  redis.call('HSET', KEYS[1], 'events', table.concat(left, '\n'))
else
  redis.call('HDEL', KEYS[1], 'events')
end
