-- The mode in force: the override, else the tenant's own, else the default. The override `pause` is `monitor`, unless a person
-- has restricted the tenant. As in mail/mode.ts.
local function mode_of(override, own, default, restriction_key)
  if override == '' then return own or default end
  if override ~= 'pause' then return override end
  local by = redis.call('HGET', restriction_key, 'by')
  return by and by ~= 'automatic' and (own or default) or 'monitor'
end
