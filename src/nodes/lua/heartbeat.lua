-- Notes what a process says of itself. At the bound the process that has not been seen for the longest time is forgotten,
-- if it is missing.
--
-- KEYS[1] nodes   KEYS[2] when they were seen   KEYS[3] their configurations
-- ARGV[1] process   ARGV[2] what it says (JSON)   ARGV[3] most processes   ARGV[4] late, ARGV[5] missing after ms
-- ARGV[6…] digests of its configurations, each followed by the configuration (JSON), or by '' if Redis should have it
-- Reply: nil: not noted, there are too many; else 1 if some process is late, else 0, and the digests that Redis does not have
--
-- @include store/clock
local nodes_key, seen_key, configs_key = KEYS[1], KEYS[2], KEYS[3]
local process, most = ARGV[1], tonumber(ARGV[3])
local now = now_ms()
local longest
if not redis.call('ZSCORE', seen_key, process) and redis.call('ZCARD', seen_key) >= most then
  local first = redis.call('ZRANGE', seen_key, 0, 0, 'WITHSCORES')
  if tonumber(first[2]) > now - ARGV[5] then return nil end
  longest = first[1]
end
redis.call('HSET', nodes_key, process, ARGV[2])
redis.call('ZADD', seen_key, string.format('%.0f', now), process)
local late = redis.call('ZRANGEBYSCORE', seen_key, '-inf', string.format('%.0f', now - ARGV[4]), 'LIMIT', 0, 1)
local reply = { #late }
for at = 6, #ARGV, 2 do
  if ARGV[at + 1] ~= '' then
    redis.call('HSET', configs_key, ARGV[at], ARGV[at + 1])
  elseif redis.call('HEXISTS', configs_key, ARGV[at]) == 0 then
    reply[#reply + 1] = ARGV[at]
  end
end
if longest then
  redis.call('HDEL', nodes_key, longest)
  redis.call('ZREM', seen_key, longest)
end
return reply
