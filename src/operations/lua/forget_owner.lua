-- Removes the name of a purged tenant from the reports of another tenant. Its domains stay there without an owner.
--
-- KEYS[1], KEYS[2 …] reports of days
-- ARGV[1] the purged tenant
-- Reply: OK
--
-- @include reporting/tallies
local function forget(key)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local domain, owner = string.match(field, '^o\t([^\t]*)\t(.*)$')
    if owner == ARGV[1] then
      local counts = redis.call('HGET', key, field)
      local numbers = numbers_of(counts)
      local nameless = 'o\t' .. domain .. '\t'
      local known = redis.call('HGET', key, nameless)
      redis.call('HSET', key, nameless, added(known, numbers, numbers[9], numbers[10]))
      redis.call('HDEL', key, field)
    end
  end
end

for at = 1, #KEYS do forget(KEYS[at]) end
return redis.status_reply('OK')
