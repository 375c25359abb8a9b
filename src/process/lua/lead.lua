-- Makes a process the leader, or lets it go on as the leader.
--
-- KEYS[1] lock
-- ARGV[1] the process   ARGV[2] for how long, in ms
-- Reply: 1: it is the leader; 0: another process is
local lock_key = KEYS[1]
local leader = redis.call('GET', lock_key)
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', lock_key, ARGV[1], 'PX', ARGV[2])
return 1
