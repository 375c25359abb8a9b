-- Keeps what processes report of a Redis that went back in time, and tells all processes.
--
-- KEYS[1] lost   KEYS[2] how many events there were: from an older number on, all since then would seem new
-- then for each finding: ARGV[n] field (`lost SUBJECT`, `missing SUBJECT`, `back SUBJECT`), ARGV[n + 1] time in µs of the
-- latest change that the process knows, ARGV[n + 2] JSON; empty: withdrawn
-- Reply: how many were new
--
-- @include store/clock
-- @include records/change
local lost_key, counts_key = KEYS[1], KEYS[2]
local MOST_FIELDS = 20000

local function known_of(field)
  local json = redis.call('HGET', lost_key, field)
  return json and tonumber(string.match(json, '"known":(%d+)') or '') or -1
end

-- A process that reports late may not have heard yet that an operator has accepted what Redis holds.
local accepted = tonumber(redis.call('HGET', lost_key, 'accepted') or '') or 0
local news, withdrawn, withdrawn_counts = 0, {}, {}
for at = 1, #ARGV, 3 do
  local field, known, json = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local kind, subject = string.match(field, '^(%S+) (%S+)$')
  local there = known_of(field)
  if kind == 'lost' and known >= known_of('missing ' .. subject) then
    withdrawn[#withdrawn + 1] = 'missing ' .. subject
  end
  if json == '' then
    if there >= 0 and there <= known then withdrawn[#withdrawn + 1] = field end
  elseif known <= accepted or (kind == 'missing' and known_of('lost ' .. subject) >= known) then
    -- Resolved, or a process knows it.
  elseif known >= there and redis.call('HGET', lost_key, field) ~= json
    and (there >= 0 or redis.call('HLEN', lost_key) < MOST_FIELDS) then
    if redis.call('HSETNX', lost_key, 'since', string.format('%.0f', now_ms())) == 1 then
      for _, counter in ipairs(redis.call('HKEYS', counts_key)) do withdrawn_counts[#withdrawn_counts + 1] = counter end
    end
    redis.call('HSET', lost_key, field, json)
    news = news + 1
  end
end
if news > 0 then
  redis.call('HSET', lost_key, 'version', (tonumber(redis.call('HGET', lost_key, 'version')) or 0) + 1)
end
if #withdrawn_counts > 0 then redis.call('HDEL', counts_key, unpack(withdrawn_counts)) end
for _, field in ipairs(withdrawn) do news = news + redis.call('HDEL', lost_key, field) end
if news > 0 then announce(lost_key, { registry = '', lost = true }) end
return news
