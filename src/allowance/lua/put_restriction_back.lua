-- Puts a restriction back that Redis has lost. It changes nothing where the restriction has been lifted, or a later one is
-- in effect, so any number of processes may call it.
--
-- KEYS[1] tenant   KEYS[2] restriction   KEYS[3] audit trail
-- ARGV[1] random part of a token   ARGV[2] actor   ARGV[3] the tenant's createdAt   then field and value of each of its fields
-- Reply: placed; widened (a later one with a narrower scope is in effect); there; lifted; other: no such tenant, or another
-- one of that id
--
-- @include records/audit
-- @include records/event
-- @include allowance/standing
local tenant_key, restriction_key, audit_key = KEYS[1], KEYS[2], KEYS[3]
local created, cases = unpack(redis.call('HMGET', tenant_key, 'createdAt', 'cases'))
if created ~= ARGV[3] then return 'other' end

local lost = table_of({ unpack(ARGV, 4) })
local since = tonumber(lost.since)
if lifted_at(tenant_key) >= since then return 'lifted' end

local scope, there_since = unpack(redis.call('HMGET', restriction_key, 'scope', 'since'))
local is_later = scope and tonumber(there_since) >= since
if is_later and (scope == 'all' or lost.scope ~= 'all') then return 'there' end

local case = is_later and redis.call('HGET', restriction_key, 'case') or lost.case
if is_later then
  redis.call('HSET', restriction_key, 'scope', lost.scope, 'by', lost.by, 'reason', lost.reason)
else
  local number = tonumber(string.match(lost.case or '', ':(%d+)$') or '')
  if number and number > (tonumber(cases or '') or 0) then redis.call('HSET', tenant_key, 'cases', number) end
  for field, value in pairs(lost) do redis.call('HSET', restriction_key, field, value) end
  -- Where the stream has not gone back, it drops an event that it knows.
  if lost.event then
    raise_event(tenant_key, ARGV[1], 'restricted', {
      id = lost.event, at = since, scope = lost.scope, by = lost.by, reason = lost.reason, case = lost.case,
      probation = lost.probation == '1', trigger = lost.window and {
        window = tonumber(lost.window), limit = tonumber(lost.limit), used = tonumber(lost.used), meter = lost.meter,
        domain = lost.domain, connector = lost.connector, ip = lost.ip,
      } or nil,
    })
  end
end
audit(audit_key, ARGV[2], case or tag_of(tenant_key), 'restriction put back', scope or '',
  string.format('%s; by %s: %s', lost.scope, lost.by, lost.reason))
announce_restriction(tenant_key, restriction_key, ARGV[1], true)
return is_later and 'widened' or 'placed'
