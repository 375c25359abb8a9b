-- Closes alerts whose 15 minutes are over. An alert that other events have joined gets one more entry, with their number.
--
-- KEYS[1] stream   KEYS[2] groups   KEYS[3] groups by when they are over
-- ARGV[1] most alerts to close
-- Reply: { number of alerts closed, the JSON of each entry … }
--
-- @include store/clock
-- @include events/entries
local stream_key, groups_key, due_key = KEYS[1], KEYS[2], KEYS[3]

local due = redis.call('ZRANGEBYSCORE', due_key, '-inf', now_ms(), 'LIMIT', 0, ARGV[1])
local reply, closed = { #due }, {}
for _, alert in ipairs(due) do
  local known = redis.call('HGET', groups_key, alert)
  if known then
    local last = cjson.decode(known)
    -- An alert about many has some to begin with.
    if last.count > (last.first or 1) then
      local id = 'evt_' .. string.sub(redis.sha1hex('count\t' .. alert), 1, 20)
      local json = '{"id":"' .. id .. '","alert":"' .. alert .. '","count":' .. last.count .. ',' .. last.json
      add_entry(stream_key, last.kind, last.tenant, false, json)
      reply[#reply + 1] = json
    end
    closed[#closed + 1] = alert
    -- The group may already have a later alert.
    if string.find(redis.call('HGET', groups_key, last.group) or '', alert .. ' ', 1, true) == 1 then
      closed[#closed + 1] = last.group
    end
  end
end
if #closed > 0 then redis.call('HDEL', groups_key, unpack(closed)) end
if #due > 0 then redis.call('ZREM', due_key, unpack(due)) end
return reply
