-- Reads the last change of the pause, and the time by the clock of the same server; writes nothing.
--
-- KEYS[1] pause
-- Reply: { server time in ms, fields and values of the change in turn }
--
-- @include store/clock
local pause_key = KEYS[1]
return { now_ms(), unpack(redis.call('HGETALL', pause_key)) }
