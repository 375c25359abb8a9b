-- Registers a tenant.
--
-- KEYS[1] tenant   KEYS[2] audit trail   KEYS[3] number of cases of an earlier tenant of that id
-- ARGV[1] random part of the tokens   ARGV[2] actor   ARGV[3] source   ARGV[4] when it was first registered, in ms; empty:
-- now   then for each setting: ARGV[n] field, ARGV[n + 1] value; an empty one is left to the default
-- Reply: { 'added', entry of the audit trail }, or { 'there', the values in the order of these fields }
--
-- @include store/clock
-- @include records/change
-- @include records/audit
local tenant_key, audit_key, cases_key = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HEXISTS', tenant_key, 'createdAt') == 1 then
  local reply = { 'there' }
  for at = 5, #ARGV, 2 do reply[#reply + 1] = redis.call('HGET', tenant_key, ARGV[at]) or '' end
  return reply
end

local created = ARGV[4] ~= '' and ARGV[4] or string.format('%.0f', now_ms())
redis.call('HSET', tenant_key, 'source', ARGV[3], 'createdAt', created, 'domains', new_token(ARGV[1]))
local settings, values = {}, { tenant = created, source = ARGV[3] }
for at = 5, #ARGV, 2 do
  local field, value = ARGV[at], ARGV[at + 1]
  if value ~= '' then
    redis.call('HSET', tenant_key, field, value)
    settings[#settings + 1] = field .. '=' .. value
    values[field] = value
  end
end
-- Cases go on counting: the records of the earlier ones may still be there.
local cases = redis.call('GET', cases_key)
if cases then redis.call('HSET', tenant_key, 'cases', cases) end
local entry = audit(audit_key, ARGV[2], tag_of(tenant_key), 'tenant added', '', table.concat(settings, '; '))
change_tenant(tenant_key, 'state', ARGV[1], 'settings', { settings = values })
return { 'added', entry }
