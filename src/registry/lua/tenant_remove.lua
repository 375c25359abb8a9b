-- Removes a tenant with its accepted domains and its usage, unless it is restricted: a restriction outlives everything
-- but a person.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] usage   KEYS[4] restriction   KEYS[5] audit trail   KEYS[6] number of cases
-- ARGV[1] random part of a token   ARGV[2] actor
-- Reply: { 'removed', entry of the audit trail, number of cases }; { 'restricted' }; { 'gone' }: there was no such tenant
--
-- @include store/clock
-- @include records/change
-- @include allowance/probation
-- @include records/audit
if redis.call('EXISTS', KEYS[4]) == 1 then return { 'restricted' } end
local reply = { 'gone' }
if redis.call('EXISTS', KEYS[1]) == 1 then
  local had = {}
  for _, field in ipairs({ 'name', 'mode', 'limits', 'nullLimits', 'forwardedLimits', 'contact', 'source' }) do
    local value = redis.call('HGET', KEYS[1], field)
    if value then had[#had + 1] = field .. '=' .. value end
  end
  local probation = probation_at(redis.call('HGET', KEYS[1], 'probation'), now_ms())
  if probation then had[#had + 1] = 'probation=' .. probation end
  had[#had + 1] = 'domains=' .. redis.call('HLEN', KEYS[2])
  local cases = redis.call('HGET', KEYS[1], 'cases')
  if cases then redis.call('SET', KEYS[6], cases) end
  local entry = audit(KEYS[5], ARGV[2], string.match(KEYS[1], '{(.-)}$'), 'tenant removed', table.concat(had, '; '), '')
  -- Told before it is gone: the announcement writes the token into the tenant's hash.
  change_tenant(KEYS[1], 'state', ARGV[1])
  reply = { 'removed', entry, cases or '0' }
end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
return reply
