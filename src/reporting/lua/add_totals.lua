-- Adds what a process has counted to the counters of all processes.
--
-- KEYS[1] counters   KEYS[2] the last addition of each process
-- ARGV[1] process and number of the addition, joined by a space: the same one again changes nothing
-- ARGV[2] the latest version of the counters that the process knows; 0: none
-- ARGV[3 …] counter and what is added to it, one after the other
-- Reply: the version of the counters: a time in µs, later with every addition
--
-- @include store/clock
-- @include reporting/tallies
local totals_key, added_key = KEYS[1], KEYS[2]
local MOST_PROCESSES, KEPT_MS = 10000, 365 * 86400000

local known = tonumber(ARGV[2])
local version = tonumber(redis.call('HGET', totals_key, 'version') or 0)
local process, number = string.match(ARGV[1], '^(%S+) (%d+)$')
local is_new = first_time(added_key, process, number, KEPT_MS, MOST_PROCESSES)
local next_version = string.format('%.0f', math.max(now_us(), version + 1, known + 1))

-- Redis has gone back in time. To go on from an older value would show all since then as new, so all begin at 0.
if version < known then
  local fields = redis.call('HKEYS', totals_key)
  if #fields > 0 then redis.call('HDEL', totals_key, unpack(fields)) end
elseif not is_new then
  return string.format('%.0f', version)
end
if is_new then
  for at = 3, #ARGV, 2 do redis.call('HINCRBY', totals_key, ARGV[at], ARGV[at + 1]) end
end
redis.call('HSET', totals_key, 'version', next_version, 'added', string.format('%.0f', now_ms()))
return next_version
