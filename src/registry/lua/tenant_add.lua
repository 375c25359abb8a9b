-- Registers a tenant.
--
-- KEYS[1] tenant   KEYS[2] audit trail   KEYS[3] number of cases of an earlier tenant of that id
-- ARGV[1] random part of the tokens   ARGV[2] actor   ARGV[3] source   ARGV[4] name   ARGV[5] mode   ARGV[6] limits
-- ARGV[7] limits of the null sender   ARGV[8] limits of forwards   ARGV[9] contact; an empty one is left to the default
-- Reply: { 'added', entry of the audit trail }, or { 'there', name, mode, limits, limits of the null sender, of forwards, contact }
--
-- @include store/clock
-- @include records/change
-- @include records/audit
local tenant_key, audit_key, cases_key = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HEXISTS', tenant_key, 'createdAt') == 1 then
  local there = redis.call('HMGET', tenant_key, 'name', 'mode', 'limits', 'nullLimits', 'forwardedLimits', 'contact')
  for at = 1, 6 do there[at] = there[at] or '' end
  return { 'there', unpack(there) }
end

redis.call('HSET', tenant_key, 'name', ARGV[4], 'source', ARGV[3], 'createdAt', string.format('%.0f', now_ms()),
  'domains', new_token(ARGV[1]))
local settings = { 'name=' .. ARGV[4] }
for at, field in ipairs({ 'mode', 'limits', 'nullLimits', 'forwardedLimits', 'contact' }) do
  if ARGV[at + 4] ~= '' then
    redis.call('HSET', tenant_key, field, ARGV[at + 4])
    settings[#settings + 1] = field .. '=' .. ARGV[at + 4]
  end
end
-- Cases go on counting: the records of the earlier ones may still be there.
local cases = redis.call('GET', cases_key)
if cases then redis.call('HSET', tenant_key, 'cases', cases) end
local entry = audit(audit_key, ARGV[2], tag_of(tenant_key), 'tenant added', '', table.concat(settings, '; '))
change_tenant(tenant_key, 'state', ARGV[1])
return { 'added', entry }
