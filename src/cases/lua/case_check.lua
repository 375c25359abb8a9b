-- Ticks a step of a case; what was said of it before is replaced.
--
-- KEYS[1] case   KEYS[2] audit trail
-- ARGV[1] actor   ARGV[2] name of the case   ARGV[3] step   ARGV[4] by   ARGV[5] text
-- Reply: checked; unchanged; closed; gone: there is no such case
--
-- @include store/clock
-- @include records/audit
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
if redis.call('HEXISTS', KEYS[1], 'closed') == 1 then return 'closed' end
local field = 'tick:' .. ARGV[3]
local had_by, had_text = string.match(redis.call('HGET', KEYS[1], field) or '', '^%d+\t([^\t]*)\t(.*)$')
if had_by == ARGV[4] and had_text == ARGV[5] then return 'unchanged' end
redis.call('HSET', KEYS[1], field, string.format('%.0f\t%s\t%s', now_ms(), ARGV[4], ARGV[5]))
audit(KEYS[2], ARGV[1], ARGV[2], 'case checked: ' .. ARGV[3], had_text or '', ARGV[5])
return 'checked'
