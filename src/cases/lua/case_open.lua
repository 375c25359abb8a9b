-- Opens a case, unless it exists or its tenant does not.
--
-- KEYS[1] case   KEYS[2] tenant   KEYS[3] audit trail
-- ARGV[1] text of a trip for the audit trail, or empty   ARGV[2] name of the case   then for each: ARGV[n] field,
-- ARGV[n + 1] value
-- Reply: 1; 0: not opened
--
-- @include records/audit
local case_key, tenant_key, audit_key = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', case_key) == 1 or redis.call('HEXISTS', tenant_key, 'createdAt') == 0 then return 0 end
for at = 3, #ARGV, 2 do redis.call('HSET', case_key, ARGV[at], ARGV[at + 1]) end
if ARGV[1] ~= '' then audit(audit_key, '\t\tautomatic', ARGV[2], 'restriction tripped', '', ARGV[1]) end
return 1
