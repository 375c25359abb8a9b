-- Entries of the stream of events, and how many events there were.
--
-- An entry is kept for 30 days. While there are more than MOST, those that are older than a day go, the oldest first. At
-- twice as many an event that joined an alert, and ends none, is only counted there, as it is in any case; so a flood from a
-- few tenants pushes nothing out. What then still comes pushes out the oldest.
--
-- @include store/clock
local KEPT_MS, DAY_MS = 30 * 86400000, 86400000
local MOST = 50000
-- Entries that one new entry pushes out at most, while those of the last day stay.
local MOST_TRIMMED = 100

local function ago(ms)
  return string.format('%.0f', now_ms() - ms)
end

-- may_skip: it need not be there if there are too many.
local function add_entry(stream_key, kind, tenant, joined, json, may_skip)
  -- The ACL files of version 1.0 do not allow it.
  local length = redis.pcall('XLEN', stream_key)
  local trim = { 'MINID', '~', ago(KEPT_MS) }
  if type(length) ~= 'number' then
    trim = { 'MAXLEN', '~', 2 * MOST }
  elseif length >= 2 * MOST then
    if may_skip then return end
    trim = { 'MAXLEN', '~', 2 * MOST }
  elseif length >= MOST then
    trim = { 'MINID', '~', ago(DAY_MS), 'LIMIT', MOST_TRIMMED }
  end
  local entry = { '*', 'kind', kind, 'tenant', tenant, 'joined', joined and '1' or '', 'json', json }
  for _, each in ipairs(entry) do trim[#trim + 1] = each end
  redis.call('XADD', stream_key, unpack(trim))
end

local function add_one(counts_key, field)
  redis.call('HSET', counts_key, field, (tonumber(redis.call('HGET', counts_key, field)) or 0) + 1)
end

-- text: the alert as JSON, which says its severity first. Only a restriction past the allowance has a trigger.
local function count_event(counts_key, kind, text)
  add_one(counts_key, kind .. '\t' .. (string.match(text, '"severity":"(%a+)"') or ''))
  if kind ~= 'restricted' then return end
  add_one(counts_key, 'restricted by\t' .. (string.find(text, '"trigger":', 1, true) and 'automatic' or 'person'))
end
