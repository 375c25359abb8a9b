-- Adds a note to a case.
--
-- KEYS[1] case   KEYS[2] audit trail
-- ARGV[1] actor   ARGV[2] name of the case   ARGV[3] by   ARGV[4] text   ARGV[5] most notes
-- Reply: noted; full; gone: there is no such case
--
-- @include store/clock
-- @include records/audit
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
local number = tonumber(redis.call('HGET', KEYS[1], 'notes') or '0') + 1
if number > tonumber(ARGV[5]) then return 'full' end
redis.call('HSET', KEYS[1], 'notes', number, 'note:' .. number, string.format('%.0f\t%s\t%s', now_ms(), ARGV[3], ARGV[4]))
audit(KEYS[2], ARGV[1], ARGV[2], 'case noted', '', ARGV[4])
return 'noted'
