-- Notes in a case that its restriction has been lifted. The audit trail says who did it.
--
-- KEYS[1] case
-- ARGV[1] time in ms, by and reason, joined by tabs   ARGV[2] end (ms) and limits of a probation, joined by a tab, or empty
-- Reply: none
local case_key = KEYS[1]
if redis.call('EXISTS', case_key) == 0 then return end
redis.call('HSET', case_key, 'lifted', ARGV[1])
if ARGV[2] ~= '' then redis.call('HSET', case_key, 'probationGiven', ARGV[2]) end
