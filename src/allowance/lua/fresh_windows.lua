-- Empties the windows of a tenant that is not restricted; its probation stays.
--
-- KEYS[1] tenant   KEYS[2] restriction   KEYS[3] usage   KEYS[4] audit trail
-- ARGV[1] by   ARGV[2] reason   ARGV[3] random part of a token   ARGV[4] actor
-- Reply: 1; 0: there is no such tenant, or it is restricted
--
-- @include store/clock
-- @include store/key
-- @include records/change
-- @include records/event
-- @include allowance/windows
-- @include records/audit
local tenant_key, restriction_key, usage_key, audit_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('EXISTS', tenant_key) == 0 or redis.call('EXISTS', restriction_key) == 1 then return 0 end

audit(audit_key, ARGV[4], tag_of(tenant_key), 'windows started afresh', '', 'by ' .. ARGV[1] .. ': ' .. ARGV[2])
empty_windows(tenant_key, usage_key, ARGV[3])
return 1
