-- Removes a tenant with its accepted domains and its usage, unless it is restricted: only a person lifts a
-- restriction.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] usage   KEYS[4] restriction   KEYS[5] audit trail   KEYS[6] number of cases
-- ARGV[1] random part of a token   ARGV[2] actor   ARGV[3 …] fields of the tenant that the audit trail keeps
-- Reply: { 'removed', entry of the audit trail, number of cases }; { 'restricted' }; { 'gone' }: there was no such tenant
--
-- @include store/clock
-- @include records/change
-- @include allowance/probation
-- @include records/audit
local tenant_key, domains_key, usage_key, restriction_key, audit_key, cases_key =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
if redis.call('EXISTS', restriction_key) == 1 then return { 'restricted' } end
local reply = { 'gone' }
if redis.call('EXISTS', tenant_key) == 1 then
  local had = {}
  for at = 3, #ARGV do
    local value = redis.call('HGET', tenant_key, ARGV[at])
    if value then had[#had + 1] = ARGV[at] .. '=' .. value end
  end
  local probation = probation_at(redis.call('HGET', tenant_key, 'probation'), now_ms())
  if probation then had[#had + 1] = 'probation=' .. probation end
  had[#had + 1] = 'domains=' .. redis.call('HLEN', domains_key)
  local cases = redis.call('HGET', tenant_key, 'cases')
  if cases then redis.call('SET', cases_key, cases) end
  local entry = audit(audit_key, ARGV[2], tag_of(tenant_key), 'tenant removed', table.concat(had, '; '), '')
  -- Announced before it is removed: that writes the token into the tenant's hash.
  change_tenant(tenant_key, 'state', ARGV[1], 'removal')
  reply = { 'removed', entry, cases or '0' }
end
redis.call('UNLINK', tenant_key, domains_key, usage_key)
return reply
