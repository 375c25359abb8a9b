-- Adds the counts that a process has made of mail without a tenant to the report of a day.
--
-- KEYS[1] flushes   KEYS[2] report of the day   KEYS[3] its others
-- ARGV[1] process and number of the flush, joined by a space: the same one again changes nothing
-- ARGV[2] days since the epoch: the day of the keys
-- ARGV[3] age of the first and the last count, in ms, joined by a space
-- ARGV[4] how long days are kept, in ms   ARGV[5] most rows of a day
-- ARGV[6] sources: lines of eight numbers, address, user, certificate, joined by tabs
-- ARGV[7] sources that the batch had no rows for: lines of address, user, certificate, joined by tabs
--
-- Reply: `answer time`, the server time in ms
-- TAKEN   recorded, now or before; then the address of each source that is new on the day, in lines that begin with `a`
-- HOUR    nothing done: these are not the keys of that day; take them from the time
--
-- @include store/clock
-- @include reporting/tallies
local flushes_key, day_key, others_key = KEYS[1], KEYS[2], KEYS[3]
local DAY, MOST_PROCESSES = 86400000, 64
local OTHERS = '(other)\t(other)\t(other)'

local now = now_ms()
local age, age_of_last = string.match(ARGV[3], '^(%d+) (%d+)$')
local first, last = now - age, now - age_of_last
if not is_within(first, tonumber(ARGV[2]), DAY) then return string.format('HOUR %.0f', now) end

local ttl, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local process, number = string.match(ARGV[1], '^(%S+) (%d+)$')
if not first_time(flushes_key, process, number, ttl, MOST_PROCESSES) then return string.format('TAKEN %.0f', now) end

local others, news = {}, {}
local rows = redis.call('HLEN', day_key)
for text, source in string.gmatch(ARGV[6], '([^\t\n]+)\t([^\n]*)') do
  local known = redis.call('HGET', day_key, source)
  if not known and source ~= OTHERS then
    if rows < most then
      rows = rows + 1
      news[#news + 1] = 'a' .. string.match(source, '^[^\t]*')
    else
      others[#others + 1] = source
      source = OTHERS
      known = redis.call('HGET', day_key, source)
    end
  end
  redis.call('HSET', day_key, source, added(known, numbers_of(text), first, last))
  redis.call('PEXPIRE', day_key, ttl)
end
for source in string.gmatch(ARGV[7], '[^\n]+') do
  if redis.call('HEXISTS', day_key, source) == 0 then others[#others + 1] = source end
end
add_names(others_key, others, ttl)
table.insert(news, 1, string.format('TAKEN %.0f', now))
return table.concat(news, '\n')
