-- Puts an event into the stream, once. It begins an alert, or joins the one that its group began within 15 minutes.
--
-- KEYS[1] stream   KEYS[2] ids   KEYS[3] groups   KEYS[4] groups by when they are over   KEYS[5] open
-- ARGV[1] id   ARGV[2] kind   ARGV[3] tenant   ARGV[4] group
-- ARGV[5] the alert as JSON after its id, alert and count: `"kind":…}`
-- ARGV[6] field that it opens, and ARGV[7] value there   ARGV[8] field that it ends; each may be empty
-- ARGV[9 …] groups that it ends: the next event in them begins an alert
-- Reply: false if it was put there before; else { alert, count }
--
-- groups holds, under `g` and the group, `alert when-over`; under an alert, its count, and kind, tenant and JSON of its
-- last event.
--
-- @include store/clock
local stream_key, ids_key, groups_key, due_key, open_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local GROUP_MS = 900000
local MOST_ENTRIES = 10000
-- Ids are kept for as long as an event may wait in its tenant's hash, up to a number.
local IDS_MS = 8 * 86400000
local MOST_IDS = 100000

local id, kind, tenant, group = ARGV[1], ARGV[2], ARGV[3], 'g' .. ARGV[4]
if redis.call('ZSCORE', ids_key, id) then return false end

local now = now_ms()
local alert, count = id, 1
local begun, over = string.match(redis.call('HGET', groups_key, group) or '', '^(%S+) (%d+)$')
-- A group that ends later than that began before the clock was set back.
if begun and now < tonumber(over) and tonumber(over) - now <= 2 * GROUP_MS then
  local known = redis.call('HGET', groups_key, begun)
  if known then
    alert, count = begun, cjson.decode(known).count + 1
  end
end

redis.call('ZADD', ids_key, now, id)
redis.call('XADD', stream_key, 'MAXLEN', '~', MOST_ENTRIES, '*', 'kind', kind, 'tenant', tenant,
  'joined', alert == id and '' or '1',
  'json', '{"id":"' .. id .. '","alert":"' .. alert .. '","count":' .. count .. ',' .. ARGV[5])
local last = cjson.encode({ count = count, group = group, kind = kind, tenant = tenant, json = ARGV[5] })
redis.call('HSET', groups_key, alert, last)
if alert == id then
  over = string.format('%.0f', now + GROUP_MS)
  redis.call('HSET', groups_key, group, id .. ' ' .. over)
  redis.call('ZADD', due_key, over, id)
end
if ARGV[6] ~= '' then redis.call('HSET', open_key, ARGV[6], ARGV[7]) end

redis.call('ZREMRANGEBYSCORE', ids_key, '-inf', string.format('(%.0f', now - IDS_MS))
redis.call('ZREMRANGEBYRANK', ids_key, 0, -MOST_IDS - 1)
if ARGV[8] ~= '' then redis.call('HDEL', open_key, ARGV[8]) end
for at = 9, #ARGV do redis.call('HDEL', groups_key, 'g' .. ARGV[at]) end
return { alert, count }
