-- Opens a case, unless that has been done, or its tenant is gone.
--
-- KEYS[1] case   KEYS[2] tenant   KEYS[3] audit trail
-- ARGV[1] what the audit trail says of a trip, or empty   ARGV[2] name of the case   then for each: ARGV[n] field,
-- ARGV[n + 1] value
-- Reply: 1; 0: it was there, or may not be
--
-- @include store/clock
-- @include records/audit
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('HEXISTS', KEYS[2], 'createdAt') == 0 then return 0 end
for at = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
if ARGV[1] ~= '' then audit(KEYS[3], '\t\tautomatic', ARGV[2], 'restriction tripped', '', ARGV[1]) end
return 1
