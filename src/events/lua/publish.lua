-- Puts an event into the stream, once. It begins an alert, or joins the one that its group began within 15 minutes. More
-- restrictions than `most` within a short span are one alert, too: those of other tenants join it.
--
-- KEYS[1] stream   KEYS[2] ids   KEYS[3] groups   KEYS[4] groups by when they are over   KEYS[5] open
-- KEYS[6] tenants restricted in the last minutes   KEYS[7] restrictions among many   KEYS[8] counts   KEYS[9] snoozes
-- ARGV[1] id   ARGV[2] kind   ARGV[3] tenant   ARGV[4] group
-- ARGV[5] the alert as JSON after its id, alert and count: `"kind":…}`
-- ARGV[6] field that it opens, and ARGV[7] value there   ARGV[8] field that it ends; each may be empty
-- ARGV[9] id of the restriction that it ends, or empty
-- ARGV[10] empty: it is never one of many; `ask`: do nothing if it is; else the alert about many as JSON, as ARGV[5]
-- ARGV[11] its id, if it begins one   ARGV[12] span in ms   ARGV[13] most restrictions within it that are alerts of their own
-- ARGV[14] what a person may have snoozed of the tenant that this is one of, or empty
-- ARGV[15] id of the event whose snooze holds for this one that ends it, or empty
-- ARGV[16 …] groups that it ends: the next event in them begins an alert
-- Reply: false if it was put there before; { 'many', since when in ms, tenants … } if it is asked for, and they are many;
-- else { alert, count, id of the alert about many if it began with this event, else empty; contact, or empty; what the entry
-- says of its snooze as JSON, or empty }
--
-- groups holds, under `g` and the group, `alert when-over`; under an alert, its count, and kind, tenant and JSON of its
-- last event. Restrictions among many: id of the event → the alert that told of it, whether its contact is mailed (held,
-- send, drop), when, tenant. Snoozes: see alerts/snoozes.ts.
--
-- @include store/clock
-- @include events/entries
local stream_key, ids_key, groups_key, due_key, open_key, recent_key, many_key, counts_key, snoozes_key =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local GROUP_MS = 900000
local MANY_GROUP = 'gmany'
local MOST_NAMED = 10
-- Ids are kept for as long as an event may wait in its tenant's hash, up to a number.
local IDS_MS = 8 * 86400000
local MOST_IDS = 100000

local id, kind, tenant, group, json, ended = ARGV[1], ARGV[2], ARGV[3], 'g' .. ARGV[4], ARGV[5], ARGV[9]
local many, many_id, span, most = ARGV[10], ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13])
local snoozable, snoozed_start = ARGV[14], ARGV[15]
if redis.call('ZSCORE', ids_key, id) then return false end
local now = now_ms()

-- The alert that a group has begun and that events still join, and what is known of it.
local function alert_of(name, length)
  local begun, over = string.match(redis.call('HGET', groups_key, name) or '', '^(%S+) (%d+)$')
  -- A group that ends later than that began before the clock was set back.
  if not begun or now >= tonumber(over) or tonumber(over) - now > 2 * length then return end
  local known = redis.call('HGET', groups_key, begun)
  if known then return begun, cjson.decode(known) end
end

local function begin_group(name, alert, length)
  local over = string.format('%.0f', now + length)
  redis.call('HSET', groups_key, name, alert .. ' ' .. over)
  redis.call('ZADD', due_key, over, alert)
end

local function keep_alert(alert, facts)
  redis.call('HSET', groups_key, alert, cjson.encode(facts))
end

-- contact: whether the contact of the tenant is mailed, where that was not left to the alert.
local function put(entry_id, entry_kind, of, alert, count, text, contact, snooze)
  local joined = alert ~= entry_id
  local json = '{"id":"' .. entry_id .. '","alert":"' .. alert .. '","count":' .. count .. ','
    .. (contact and '"contact":"' .. contact .. '",' or '')
    .. (snooze and '"snoozed":' .. snooze .. ',' or '') .. text
  -- Earlier versions deliver nothing that has joined another alert, either.
  add_entry(stream_key, entry_kind, of, joined or snooze ~= nil, json, joined and not contact and ARGV[8] == '')
  count_event(counts_key, entry_kind, text)
end

local function hold_contact(event, told, at, of)
  redis.call('HSETNX', many_key, event, table.concat({ told, 'held', string.format('%.0f', at), of }, '\t'))
end

-- The alert about many restrictions that this one joins or begins, and its facts; nothing if they are few.
local function many_alert()
  redis.call('ZREMRANGEBYSCORE', recent_key, '-inf', string.format('%.0f', now - span))
  redis.call('ZREMRANGEBYSCORE', recent_key, string.format('(%.0f', now), '+inf')
  redis.call('ZADD', recent_key, now, tenant)
  redis.call('PEXPIRE', recent_key, span)
  local begun, known = alert_of(MANY_GROUP, span)
  if begun then return begun, known end
  local recent = redis.call('ZRANGE', recent_key, 0, -1, 'WITHSCORES')
  if #recent / 2 <= most then return end
  -- This one is counted when it joins.
  local count = #recent / 2 - 1
  return many_id, { count = count, first = count + 1, group = MANY_GROUP, kind = 'many_restricted', tenant = '', from = recent[2] }
end

-- The snooze that is on for what a field is about: until when in ms, and who snoozed it.
local function snooze_of(field)
  local till, by = string.match(redis.call('HGET', snoozes_key, field) or '', '^(%d+)\t([^\t]*)')
  if till then return tonumber(till), by end
end

-- What ends a snoozed event is snoozed too, also later; what ends one that was delivered is delivered.
local own_snooze, is_over, snooze = tenant .. '\t' .. snoozable, false, nil
if snoozable ~= '' or snoozed_start ~= '' then
  local till, by = snooze_of(snoozable ~= '' and own_snooze or snoozed_start)
  is_over = till ~= nil and snoozable ~= '' and now >= till
  if till and not is_over then
    snooze = cjson.encode({ ['until'] = till, by = by })
    if snoozable ~= '' then
      redis.call('HSET', snoozes_key, id, table.concat({ string.format('%.0f', till), by, tenant }, '\t'))
    end
  end
end

local alert, known
-- A snoozed event is no part of an alert: the first one after the snooze is delivered.
if not snooze then alert, known = alert_of(group, GROUP_MS) end
local is_many = false
if not alert and many ~= '' then
  alert, known = many_alert()
  is_many = alert ~= nil
  if is_many and many == 'ask' then
    local reply = { 'many', known.from }
    for _, each in ipairs(redis.call('ZRANGE', recent_key, -MOST_NAMED, -1)) do reply[#reply + 1] = each end
    return reply
  end
end

local told, contact
if ended ~= '' then
  redis.call('ZREM', recent_key, tenant)
  told, contact = string.match(redis.call('HGET', many_key, ended) or '', '^([^\t]*)\t([^\t]*)')
  redis.call('HDEL', many_key, ended)
end

local count, began_many = alert and known.count + 1 or 1, ''
if is_many then
  contact = 'held'
  hold_contact(id, alert, now, tenant)
  if alert == many_id then
    began_many = alert
    begin_group(MANY_GROUP, alert, span)
    put(alert, known.kind, '', alert, count, many)
    -- Alerts have told of the others. Their contacts have had no mail yet.
    local recent = redis.call('ZRANGE', recent_key, 0, -1, 'WITHSCORES')
    for at = 1, #recent, 2 do
      local event = redis.call('HGET', open_key, 'restricted\t' .. recent[at] .. '\t')
      if event then hold_contact(event, event, recent[at + 1], recent[at]) end
    end
  end
  known.count, known.json = count, many
  keep_alert(alert, known)
elseif not alert and told and told ~= ended then
  -- No alert of its own has told of the beginning, so none tells of the end.
  alert = told
elseif snooze then
  alert = id
else
  if not alert then
    alert = id
    begin_group(group, id, GROUP_MS)
  end
  keep_alert(alert, { count = count, group = group, kind = kind, tenant = tenant, json = json })
end
redis.call('ZADD', ids_key, now, id)
put(id, kind, tenant, alert, count, json, contact, snooze)
if ARGV[6] ~= '' then redis.call('HSET', open_key, ARGV[6], ARGV[7]) end

redis.call('ZREMRANGEBYSCORE', ids_key, '-inf', string.format('(%.0f', now - IDS_MS))
redis.call('ZREMRANGEBYRANK', ids_key, 0, -MOST_IDS - 1)
if ARGV[8] ~= '' then redis.call('HDEL', open_key, ARGV[8]) end
for at = 16, #ARGV do redis.call('HDEL', groups_key, 'g' .. ARGV[at]) end
if snoozed_start ~= '' then redis.call('HDEL', snoozes_key, snoozed_start) end
if is_over then redis.call('HDEL', snoozes_key, own_snooze) end
return { alert, count, began_many, contact or '', snooze or '' }
