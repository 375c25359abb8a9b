-- Reconciles the index with the claims, for some names.
--
-- KEYS[1] names   KEYS[2] index
-- ARGV domains
-- Reply: how many entries were added or removed
--
-- @include registry/ownership
local names_key, index_key = KEYS[1], KEYS[2]
local mended = 0
for _, domain in ipairs(ARGV) do
  if redis.call('HEXISTS', names_key, domain) == 1 then
    mended = mended + redis.call('ZADD', index_key, 0, reversed(domain))
  else
    mended = mended + redis.call('ZREM', index_key, reversed(domain))
  end
end
return mended
