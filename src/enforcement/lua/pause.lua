-- Pauses enforcement on all hosts, or resumes it. Both are written whatever was before: processes may know a change that
-- Redis has lost.
--
-- KEYS[1] pause   KEYS[2] audit trail
-- ARGV[1] paused or resumed   ARGV[2] by   ARGV[3] reason   ARGV[4] actor   ARGV[5] for the audit trail: the new state
-- ARGV[6] how long it is paused, in ms   ARGV[7] 1: with what persons have restricted or blocked
-- Reply: { server time in ms, fields and values of the change in turn }
--
-- A pause that is paused again goes on: `first` stays. What was resumed has the `first` of the pause, also if that had just ended.
--
-- @include store/clock
-- @include records/change
-- @include records/audit
local pause_key, audit_key = KEYS[1], KEYS[2]
local state, by, reason = ARGV[1], ARGV[2], ARGV[3]
local before = redis.call('HMGET', pause_key, 'state', 'mark', 'first', 'until', 'everything')
local now = now_ms()
local was_paused = before[1] == 'paused' and tonumber(before[4]) > now
local mark = string.match(token_of(now_us(), '', before[2]), '^%d+')
local first = was_paused and before[3] or state == 'paused' and mark or before[1] == 'paused' and before[3] or '0'
local ends, everything = before[4] or '0', before[5] or ''
if state == 'paused' then
  ends, everything = string.format('%.0f', now + ARGV[6]), ARGV[7]
end

redis.call('HSET', pause_key, 'state', state, 'mark', mark, 'first', first, 'at', string.format('%.0f', now), 'by', by,
  'reason', reason, 'until', ends, 'everything', everything)
audit(audit_key, ARGV[4], '', 'enforcement ' .. state, was_paused and 'paused' or '', ARGV[5])
announce(pause_key, { registry = 'pause', pause = mark })
return { now, unpack(redis.call('HGETALL', pause_key)) }
