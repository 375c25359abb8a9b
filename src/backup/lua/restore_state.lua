-- Restores the restriction and the usage of a tenant that may not exist yet. An existing restriction is never narrowed,
-- and existing usage never replaced: it may be newer.
--
-- KEYS[1] tenant   KEYS[2] restriction   KEYS[3] usage
-- ARGV[1] random part of a token   ARGV[2] number of fields of the restriction   then field and value of each of them,
-- then those of the usage
-- Reply: none
--
-- @include store/clock
-- @include allowance/standing
local tenant_key, restriction_key, usage_key = KEYS[1], KEYS[2], KEYS[3]
local first_usage = 3 + 2 * ARGV[2]
if #ARGV >= first_usage and redis.call('EXISTS', usage_key) == 0 then
  for at = first_usage, #ARGV, 2 do redis.call('HSET', usage_key, ARGV[at], ARGV[at + 1]) end
end

local wanted
for at = 3, first_usage - 1, 2 do
  if ARGV[at] == 'scope' then wanted = ARGV[at + 1] end
end
local scope = redis.call('HGET', restriction_key, 'scope')
if wanted and (not scope or (scope ~= wanted and wanted == 'all')) then
  for at = 3, first_usage - 1, 2 do redis.call('HSET', restriction_key, ARGV[at], ARGV[at + 1]) end
  if redis.call('HEXISTS', tenant_key, 'createdAt') == 1 then
    announce_restriction(tenant_key, restriction_key, ARGV[1])
  end
end
