-- Makes the windows of a tenant go on where the clock was set back: also where no mail comes that a charge would do it by.
--
-- KEYS[1] usage
-- Reply: how many windows go on
--
-- @include store/clock
-- @include allowance/ring
local now = now_ms()
local rings = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local window = tonumber(string.match(field, '^%l(%d+)$') or '')
  if window then
    local ring, _, _, set_back = advance(redis.call('HGET', KEYS[1], field), bucket_of(now, window))
    if set_back then
      rings[#rings + 1] = field
      rings[#rings + 1] = ring
    end
  end
end
if #rings > 0 then redis.call('HSET', KEYS[1], unpack(rings)) end
return #rings / 2
