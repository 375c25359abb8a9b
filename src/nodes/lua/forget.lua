-- Forgets the processes of a host, unless one of them has been seen lately.
--
-- KEYS[1] nodes   KEYS[2] when they were seen   KEYS[3] trail
-- ARGV[1] actor   ARGV[2] host   ARGV[3] lately: the last ms   ARGV[4…] its processes
-- Reply: how many were seen lately; 0: all are forgotten
--
-- @include store/clock
-- @include records/audit
local nodes_key, seen_key, trail_key = KEYS[1], KEYS[2], KEYS[3]
local since = now_ms() - ARGV[3]
local alive = 0
for at = 4, #ARGV do
  local seen = tonumber(redis.call('ZSCORE', seen_key, ARGV[at]) or 0)
  if seen > since then alive = alive + 1 end
end
if alive > 0 then return alive end
audit(trail_key, ARGV[1], 'host ' .. ARGV[2], 'host forgotten', (#ARGV - 3) .. (#ARGV == 4 and ' process' or ' processes'), '')
for at = 4, #ARGV do
  redis.call('HDEL', nodes_key, ARGV[at])
  redis.call('ZREM', seen_key, ARGV[at])
end
return 0
