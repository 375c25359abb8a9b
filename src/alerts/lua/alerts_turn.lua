-- One turn of an alert channel: records delivery results, and claims the alerts that are due. The consumer group of the
-- channel holds the state of each delivery: `sending`, or `waiting-N` for step N of the schedule; since when; number of
-- tries. So any process can continue it.
--
-- KEYS[1] stream of events
-- ARGV[1] group   ARGV[2] most entries to claim   ARGV[3] where a new group begins: $ or an id
-- ARGV[4] ms after which a sending process counts as dead   ARGV[5] number of steps, then each of them in ms
-- then for each result: its id, its number of tries, the step that it waits for, or 0 if it is done, and the number of
-- tries to count on from
-- Reply: { ms, number of entries that left the stream undelivered, { { id, tries, { field, value … } } … } }
--
-- @include store/clock
local stream_key = KEYS[1]
local group, room, lease, steps = ARGV[1], tonumber(ARGV[2]), ARGV[4], tonumber(ARGV[5])

local function is_there()
  if redis.call('EXISTS', stream_key) == 0 then return false end
  for _, facts in ipairs(redis.call('XINFO', 'GROUPS', stream_key)) do
    for at = 1, #facts, 2 do
      if facts[at] == 'name' and facts[at + 1] == group then return true end
    end
  end
  return false
end

if not is_there() then redis.call('XGROUP', 'CREATE', stream_key, group, ARGV[3], 'MKSTREAM') end

local due, gone = {}, 0

for at = 6 + steps, #ARGV, 4 do
  local id, tries, step, count_from = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  if step == '0' then
    redis.call('XACK', stream_key, group, id)
  else
    -- Another process may have claimed it meanwhile.
    local mine = redis.call('XPENDING', stream_key, group, id, id, 1, 'sending')[1]
    if mine and mine[4] == tonumber(tries) then
      local put_back =
        redis.call('XCLAIM', stream_key, group, 'waiting-' .. step, 0, id, 'IDLE', 0, 'RETRYCOUNT', count_from, 'JUSTID')
      -- Redis 7 drops an entry that left the stream here; earlier versions do when it is claimed below.
      if #put_back == 0 then gone = gone + 1 end
    end
  end
end

-- Claims the entries that a consumer has held for `idle` ms or longer.
local function claim(consumer, idle)
  if #due >= room then return end
  for _, waiting in ipairs(redis.call('XPENDING', stream_key, group, 'IDLE', idle, '-', '+', room - #due, consumer)) do
    local id, tries = waiting[1], waiting[4] + 1
    local entry = redis.call('XCLAIM', stream_key, group, 'sending', 0, id)[1]
    if entry then
      due[#due + 1] = { id, tries, entry[2] }
    else
      redis.call('XACK', stream_key, group, id)
      gone = gone + 1
    end
  end
end

if room > 0 then
  local fresh = redis.call('XREADGROUP', 'GROUP', group, 'sending', 'COUNT', room, 'STREAMS', stream_key, '>')
  if fresh then
    for _, entry in ipairs(fresh[1][2]) do due[#due + 1] = { entry[1], 1, entry[2] } end
  end
  claim('sending', lease)
  for step = 1, steps do claim('waiting-' .. step, ARGV[5 + step]) end
end
return { now_ms(), gone, due }
