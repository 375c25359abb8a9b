-- Takes the lock of the watch, or holds on to it.
--
-- KEYS[1] lock
-- ARGV[1] who asks   ARGV[2] for how long, in ms
-- Reply: 1: it is the caller's now; 0: it is not
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
