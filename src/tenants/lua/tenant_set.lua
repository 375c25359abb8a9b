-- Changes a tenant.
--
-- KEYS[1] tenant
-- ARGV[1] random part of a token   then for each: ARGV[n] field, ARGV[n + 1] value, empty: back to the default
-- Reply: changed, unchanged, or gone: no such tenant
--
-- @include clock
-- @include change
if redis.call('HEXISTS', KEYS[1], 'createdAt') == 0 then return 'gone' end

local changed = false
for at = 2, #ARGV, 2 do
  local field, value = ARGV[at], ARGV[at + 1]
  if (redis.call('HGET', KEYS[1], field) or '') ~= value then
    changed = true
    if value == '' then
      redis.call('HDEL', KEYS[1], field)
    else
      redis.call('HSET', KEYS[1], field, value)
    end
  end
end
if not changed then return 'unchanged' end
change_tenant(KEYS[1], 'state', ARGV[1])
return 'changed'
