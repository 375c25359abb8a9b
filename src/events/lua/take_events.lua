-- Removes events from the tenant's hash that are now in the stream; events raised meanwhile stay.
--
-- KEYS[1] tenant
-- ARGV[1 …] events, as the field holds them
-- Reply: none
local tenant_key = KEYS[1]
local waiting = redis.call('HGET', tenant_key, 'events')
if not waiting then return end

local published, left = {}, {}
for _, line in ipairs(ARGV) do published[line] = true end
for line in string.gmatch(waiting, '[^\n]+') do
  if not published[line] then left[#left + 1] = line end
end
if #left > 0 then
  redis.call('HSET', tenant_key, 'events', table.concat(left, '\n'))
else
  redis.call('HDEL', tenant_key, 'events')
end
