-- Lets the windows of a tenant go on after the clock was set back, where no charge does it because no mail comes.
--
-- KEYS[1] usage
-- Reply: how many windows go on
--
-- @include store/clock
-- @include allowance/ring
local usage_key = KEYS[1]
local now = now_ms()
local rings = {}
for _, field in ipairs(redis.call('HKEYS', usage_key)) do
  local window = tonumber(string.match(field, '^%l(%d+)$') or '')
  if window then
    local ring, _, _, set_back = advance(redis.call('HGET', usage_key, field), bucket_of(now, window))
    if set_back then
      rings[#rings + 1] = field
      rings[#rings + 1] = ring
    end
  end
end
if #rings > 0 then redis.call('HSET', usage_key, unpack(rings)) end
return #rings / 2
