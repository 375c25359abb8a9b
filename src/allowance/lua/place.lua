-- Places a restriction, by order of a person.
--
-- KEYS[1] tenant   KEYS[2] restriction   KEYS[3] audit trail
-- ARGV[1] scope: unregistered or all   ARGV[2] by   ARGV[3] reason   ARGV[4] random part of a token   ARGV[5] actor
-- Reply: placed; widened (from unregistered to all); unchanged (that scope already); narrower (all already); gone
--
-- @include store/clock
-- @include store/key
-- @include records/change
-- @include records/event
-- @include records/case
-- @include records/audit
-- @include allowance/standing
local tenant_key, restriction_key, audit_key = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', tenant_key) == 0 then return 'gone' end

local scope = redis.call('HGET', restriction_key, 'scope')
if scope == ARGV[1] then return 'unchanged' end
if scope == 'all' then return 'narrower' end

redis.call('HSET', restriction_key, 'since', restricted_since(tenant_key, now_ms()), 'scope', ARGV[1], 'by', ARGV[2],
  'reason', ARGV[3])
-- A restriction that is widened keeps its case, and raises no second event for a lift to end.
local case = redis.call('HGET', restriction_key, 'case')
if not scope then
  case = open_case(tenant_key)
  local facts = { scope = ARGV[1], by = ARGV[2], reason = ARGV[3], case = case }
  local event = raise_event(tenant_key, ARGV[4], 'restricted', facts)
  redis.call('HSET', restriction_key, 'case', case, 'event', event)
end
audit(audit_key, ARGV[5], case or tag_of(tenant_key), scope and 'restriction widened' or 'restriction placed',
  scope or '', ARGV[1] .. '; by ' .. ARGV[2] .. ': ' .. ARGV[3])
announce_restriction(tenant_key, restriction_key, ARGV[4])
return scope and 'widened' or 'placed'
