-- Puts the lift of a restriction back that Redis has lost, and lifts the restriction where it is there. It changes nothing where
-- a later lift or restriction is there, so any number of processes may call it.
--
-- KEYS[1] tenant   KEYS[2] restriction   KEYS[3] usage   KEYS[4] audit trail
-- ARGV[1] random part of a token   ARGV[2] actor   ARGV[3] the tenant's createdAt   then name and value of each part of the
-- lift: see announce_lift
-- Reply: lifted; noted: there was no restriction; there; other: no such tenant, or another one of that id
--
-- @include records/audit
-- @include records/event
-- @include allowance/standing
-- @include allowance/windows
local tenant_key, restriction_key, usage_key, audit_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('HGET', tenant_key, 'createdAt') ~= ARGV[3] then return 'other' end

local lift = table_of({ unpack(ARGV, 4) })
local at = tonumber(lift.at)
if lifted_at(tenant_key) >= at then return 'there' end
local scope, since = unpack(redis.call('HMGET', restriction_key, 'scope', 'since'))
-- A clock that was set back may have given a later restriction an earlier time than the lift.
if scope and tonumber(since) > tonumber(lift.since) then return 'there' end

local ends, limits = string.match(lift.probation, '^(%d+)\t([^\t]*)')
if ends and now_ms() < tonumber(ends) then redis.call('HSET', tenant_key, 'probation', lift.probation) end
if scope then
  raise_event(tenant_key, ARGV[1], 'lifted', {
    id = lift.id, at = at, by = lift.by, reason = lift.reason, case = lift.case, resolves = lift.event,
    probation = ends and { limits = limits, ['until'] = tonumber(ends) } or nil,
  })
  if lift.keepUsage ~= '1' then empty_windows(tenant_key, usage_key, ARGV[1]) end
end
audit(audit_key, ARGV[2], lift.case ~= '' and lift.case or tag_of(tenant_key), 'lift put back', scope or '',
  string.format('by %s: %s', lift.by, lift.reason))
redis.call('HSET', tenant_key, 'lifted', string.format('%s\t%s\t%s', lift.at, lift.by, lift.reason))
announce_lift(tenant_key, ARGV[1], lift, true)
-- Deleted last, and field by field: the mail process may delete no key.
for _, field in ipairs(redis.call('HKEYS', restriction_key)) do redis.call('HDEL', restriction_key, field) end
return scope and 'lifted' or 'noted'
