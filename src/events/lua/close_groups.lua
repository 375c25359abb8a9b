-- Closes alerts whose 15 minutes are over. One that others have joined gets an entry more, with their number.
--
-- KEYS[1] stream   KEYS[2] groups   KEYS[3] groups by when they are over
-- ARGV[1] how many at most
-- Reply: { how many were closed, the JSON of each entry … }
--
-- @include store/clock
local MOST_ENTRIES = 10000

local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now_ms(), 'LIMIT', 0, ARGV[1])
local reply, gone = { #due }, {}
for _, alert in ipairs(due) do
  local known = redis.call('HGET', KEYS[2], alert)
  if known then
    local last = cjson.decode(known)
    if last.count > 1 then
      local id = 'evt_' .. string.sub(redis.sha1hex('count\t' .. alert), 1, 20)
      local json = '{"id":"' .. id .. '","alert":"' .. alert .. '","count":' .. last.count .. ',' .. last.json
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', MOST_ENTRIES, '*', 'kind', last.kind, 'tenant', last.tenant,
        'joined', '', 'json', json)
      reply[#reply + 1] = json
    end
    gone[#gone + 1] = alert
    -- A later alert of the group may have its place.
    if string.find(redis.call('HGET', KEYS[2], last.group) or '', alert .. ' ', 1, true) == 1 then
      gone[#gone + 1] = last.group
    end
  end
end
if #gone > 0 then redis.call('HDEL', KEYS[2], unpack(gone)) end
if #due > 0 then redis.call('ZREM', KEYS[3], unpack(due)) end
return reply
