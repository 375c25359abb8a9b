-- Puts the last change of the pause back that Redis has lost by going back in time; once, however many processes call it.
--
-- KEYS[1] pause   KEYS[2] audit trail
-- ARGV[1] mark   ARGV[2] its state   ARGV[3] actor   ARGV[4 …] its fields and values in turn
-- Reply: none
--
-- @include store/clock
-- @include records/change
-- @include records/audit
local pause_key, audit_key = KEYS[1], KEYS[2]
if (tonumber(redis.call('HGET', pause_key, 'mark') or '') or 0) >= tonumber(ARGV[1]) then return end
redis.call('HSET', pause_key, unpack(ARGV, 4))
audit(audit_key, ARGV[3], '', 'enforcement ' .. ARGV[2], '', 'put back: Redis had lost it')
announce(pause_key, { registry = 'pause', pause = ARGV[1] })
