-- Puts back the restriction and the usage of a tenant, before there is such a tenant, or into one that is there. A
-- restriction that is there is never narrowed, and usage that is there never replaced: it may be newer.
--
-- KEYS[1] tenant   KEYS[2] restriction   KEYS[3] usage
-- ARGV[1] random part of a token   ARGV[2] number of fields of the restriction   then field and value of each of them,
-- and field and value of each of the usage
-- Reply: none
--
-- @include store/clock
-- @include records/change
local first_usage = 3 + 2 * ARGV[2]
if #ARGV >= first_usage and redis.call('EXISTS', KEYS[3]) == 0 then
  for at = first_usage, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1]) end
end

local wanted
for at = 3, first_usage - 1, 2 do
  if ARGV[at] == 'scope' then wanted = ARGV[at + 1] end
end
local scope = redis.call('HGET', KEYS[2], 'scope')
if wanted and (not scope or (scope ~= wanted and wanted == 'all')) then
  for at = 3, first_usage - 1, 2 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
  if redis.call('HEXISTS', KEYS[1], 'createdAt') == 1 then change_tenant(KEYS[1], 'state', ARGV[1]) end
end
