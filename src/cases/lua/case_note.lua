-- Adds a note to a case.
--
-- KEYS[1] case   KEYS[2] audit trail
-- ARGV[1] actor   ARGV[2] name of the case   ARGV[3] by   ARGV[4] text   ARGV[5] most notes
-- Reply: noted; full; gone: there is no such case
--
-- @include store/clock
-- @include records/audit
local case_key, audit_key = KEYS[1], KEYS[2]
if redis.call('EXISTS', case_key) == 0 then return 'gone' end
local number = tonumber(redis.call('HGET', case_key, 'notes') or '0') + 1
if number > tonumber(ARGV[5]) then return 'full' end
redis.call('HSET', case_key, 'notes', number, 'note:' .. number, string.format('%.0f\t%s\t%s', now_ms(), ARGV[3], ARGV[4]))
audit(audit_key, ARGV[1], ARGV[2], 'case noted', '', ARGV[4])
return 'noted'
