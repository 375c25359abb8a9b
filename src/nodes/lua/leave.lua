-- Removes processes that have ended.
--
-- KEYS[1] nodes   KEYS[2] when they were seen
-- ARGV[1…] processes
-- Reply: none
local nodes_key, seen_key = KEYS[1], KEYS[2]
redis.call('HDEL', nodes_key, unpack(ARGV))
redis.call('ZREM', seen_key, unpack(ARGV))
