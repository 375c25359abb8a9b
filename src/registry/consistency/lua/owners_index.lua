-- Brings the index in line with the claims, for some names.
--
-- KEYS[1] names   KEYS[2] index
-- ARGV domains
-- Reply: how many were out of step
--
-- @include registry/ownership
local mended = 0
for _, domain in ipairs(ARGV) do
  if redis.call('HEXISTS', KEYS[1], domain) == 1 then
    mended = mended + redis.call('ZADD', KEYS[2], 0, reversed(domain))
  else
    mended = mended + redis.call('ZREM', KEYS[2], reversed(domain))
  end
end
return mended
