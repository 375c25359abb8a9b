-- Ticks a step of a case, replacing an earlier tick.
--
-- KEYS[1] case   KEYS[2] audit trail
-- ARGV[1] actor   ARGV[2] name of the case   ARGV[3] step   ARGV[4] by   ARGV[5] text
-- Reply: checked; unchanged; closed; gone: there is no such case
--
-- @include store/clock
-- @include records/audit
local case_key, audit_key = KEYS[1], KEYS[2]
if redis.call('EXISTS', case_key) == 0 then return 'gone' end
if redis.call('HEXISTS', case_key, 'closed') == 1 then return 'closed' end
local field = 'tick:' .. ARGV[3]
local had_by, had_text = string.match(redis.call('HGET', case_key, field) or '', '^%d+\t([^\t]*)\t(.*)$')
if had_by == ARGV[4] and had_text == ARGV[5] then return 'unchanged' end
redis.call('HSET', case_key, field, string.format('%.0f\t%s\t%s', now_ms(), ARGV[4], ARGV[5]))
audit(audit_key, ARGV[1], ARGV[2], 'case checked: ' .. ARGV[3], had_text or '', ARGV[5])
return 'checked'
