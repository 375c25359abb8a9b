-- Adds up the counts that processes flush, each flush once.
--
-- Counts are ten numbers: recipients accepted, deferred, refused and refunded, messages likewise, and when the first and
-- the last was seen (ms); see src/reporting/counts.ts.
--
-- @include store/clock
local function numbers_of(text)
  local numbers = {}
  for number in string.gmatch(text or '', '%d+') do numbers[#numbers + 1] = tonumber(number) end
  return numbers
end

-- The numbers in `text` (false: none), of which the first eight are added to those of a flush.
local function sums_of(text, numbers)
  local sums = numbers_of(text)
  for at = 1, 8 do sums[at] = string.format('%.0f', (sums[at] or 0) + (numbers[at] or 0)) end
  return sums
end

-- The counts in `text` (false: none) plus eight numbers seen from `first` to `last`.
local function added(text, numbers, first, last)
  local sums = sums_of(text, numbers)
  sums[9] = string.format('%.0f', math.min(sums[9] or first, first))
  sums[10] = string.format('%.0f', math.max(sums[10] or last, last))
  return table.concat(sums, ' ', 1, 10)
end

-- Notes a flush of a process; false if it was noted before. ttl in ms; most: processes that are remembered.
local function first_time(key, process, number, ttl, most)
  local noted = redis.call('HGET', key, process)
  if noted and tonumber(string.match(noted, '^(%d+) ')) >= tonumber(number) then return false end
  redis.call('HSET', key, process, string.format('%s %.0f', number, now_ms()))
  redis.call('PEXPIRE', key, ttl)
  if redis.call('HLEN', key) <= 2 * most then return true end
  -- Forget the processes that flushed longest ago: they have ended.
  local flushes = redis.call('HGETALL', key)
  local processes = {}
  for at = 1, #flushes, 2 do
    processes[#processes + 1] = { flushes[at], tonumber(string.match(flushes[at + 1], ' (%d+)$')) or 0 }
  end
  table.sort(processes, function(a, b) return a[2] > b[2] end)
  for at = most + 1, #processes do redis.call('HDEL', key, processes[at][1]) end
  return true
end

-- Whether a time is in this hour or day, within 5 s: the caller estimates the server's clock.
local function is_within(at, number, length)
  return at + 5000 >= number * length and at - 5000 < (number + 1) * length
end

-- Sets many fields of a hash in parts: Lua can unpack at most 8000 values.
local function set_fields(key, pairs_of, ttl)
  for at = 1, #pairs_of, 1000 do
    redis.call('HSET', key, unpack(pairs_of, at, math.min(at + 999, #pairs_of)))
  end
  if #pairs_of > 0 then redis.call('PEXPIRE', key, ttl) end
end

-- Adds names to a HyperLogLog.
local function add_names(key, names, ttl)
  for at = 1, #names, 1000 do
    redis.call('PFADD', key, unpack(names, at, math.min(at + 999, #names)))
  end
  if #names > 0 then redis.call('PEXPIRE', key, ttl) end
end
