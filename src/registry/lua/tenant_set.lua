-- Changes a tenant.
--
-- KEYS[1] tenant   KEYS[2] audit trail
-- ARGV[1] random part of a token   ARGV[2] actor   then for each: ARGV[n] field, ARGV[n + 1] value, empty: back to the
-- default
-- Reply: changed, unchanged, or gone: no such tenant
--
-- @include store/clock
-- @include records/change
-- @include records/audit
local tenant_key, audit_key = KEYS[1], KEYS[2]
if redis.call('HEXISTS', tenant_key, 'createdAt') == 0 then return 'gone' end

local from, to, settings = {}, {}, {}
for at = 3, #ARGV, 2 do
  local field, value = ARGV[at], ARGV[at + 1]
  local had = redis.call('HGET', tenant_key, field) or ''
  if had ~= value then
    from[#from + 1] = field .. '=' .. (had == '' and 'default' or had)
    settings[field] = value
    to[#to + 1] = field .. '=' .. (value == '' and 'default' or value)
    if value == '' then
      redis.call('HDEL', tenant_key, field)
    else
      redis.call('HSET', tenant_key, field, value)
    end
  end
end
if #to == 0 then return 'unchanged' end
audit(audit_key, ARGV[2], tag_of(tenant_key), 'tenant changed', table.concat(from, '; '), table.concat(to, '; '))
change_tenant(tenant_key, 'state', ARGV[1], 'settings', { settings = settings })
return 'changed'
