-- Recipients in the windows of a meter: what these hold, which limit would be gone past, and then either the trip or the
-- count. Needs clock, change, ring, limits, event, edges, unreadable and case.
--
-- The first KEYS of the script are tenant, usage, restriction and receipt. `ask` says what is asked: meter, limits, created
-- (the tenant's createdAt), recipients (how many at once), now, percents (of a limit, that are told), facts (domain, connector and
-- address, joined by tabs), ordinal (of the first recipient), probation, dry (nothing is written) and by (what several
-- recipients are, for the reason). read_windows adds what it finds.
local RECEIPT_TTL = 3600000
-- The receipt of a message that has tripped, whatever the number of its recipients.
local TRIPPED_FIELD = 'tripped'
-- Lua unpacks 8000 values at most.
local PIECE = 1000

-- The transaction, and what makes a token or an id of this recipient another than all others.
local function names_of_recipient(ask)
  local transaction = string.match(KEYS[4], ':receipt:(.*)$')
  return transaction, ask.ordinal .. ':' .. transaction
end

local function read_windows(ask)
  local meter, now, limits, more = ask.meter, ask.now, ask.limits, ask.recipients
  local fields = { 'generation' }
  for at, limit in ipairs(limits) do fields[at + 1] = meter .. limit.window end
  fields[#fields + 1] = 'warned'
  fields[#fields + 1] = 'unreadable'
  local usage = redis.call('HMGET', KEYS[2], unpack(fields))
  ask.fields, ask.generation, ask.warned = fields, usage[1] or ask.created, usage[#fields - 1] or ''
  local unreadable = usage[#fields] or ''

  for at, limit in ipairs(limits) do
    local field, bucket = fields[at + 1], bucket_of(now, limit.window)
    local ring, newest, total, set_back, is_unreadable = advance(usage[at + 1], bucket)
    -- Nobody is refused for a total that no bucket takes away again.
    if total > limit.count - more and not adds_up(ring, total) then is_unreadable = true end
    if is_unreadable then
      ring, newest, total, set_back = EMPTY_RING, bucket, 0, false
      local _, random = names_of_recipient(ask)
      if not ask.dry then unreadable = start_afresh(field, limit.window, unreadable, now, random) end
    end
    if set_back and not ask.dry then redis.call('HSET', KEYS[2], field, ring) end
    limit.ring, limit.newest, limit.used = ring, newest, total
    if total + more > limit.count then
      if limit.defer then
        ask.deferring = ask.deferring or limit
      elseif limit.count == 0 then
        ask.zero = ask.zero or limit
      else
        ask.over = ask.over or limit
      end
    elseif is_unreadable or (unreadable ~= '' and now < unreadable_until(unreadable, field)) then
      ask.deferring = ask.deferring or limit
    end
    local tightest = ask.tightest
    if not tightest or limit.count - total < tightest.count - tightest.used then ask.tightest = limit end
  end
end

local function counts_of(limit)
  return string.format(' %.0f %.0f %.0f', limit.used, limit.count, limit.window)
end

local function facts_of(ask, limit)
  local domain, connector, ip = string.match(ask.facts, '^([^\t]*)\t([^\t]*)\t([^\t]*)$')
  return {
    window = limit.window, limit = limit.count, used = limit.used, meter = METER_NAMES[ask.meter],
    domain = domain or '', connector = connector or '', ip = ip or '',
  }
end

local function trigger_of(ask, limit)
  local facts = facts_of(ask, limit)
  local trigger = {
    'window', facts.window, 'limit', facts.limit, 'used', facts.used,
    'domain', facts.domain, 'connector', facts.connector, 'ip', facts.ip,
  }
  if facts.meter then
    trigger[13], trigger[14] = 'meter', facts.meter
  end
  return trigger
end

-- A receipt: the answer and its counts, the generation, and the buckets, each as field:bucket, that the recipient is in.
local function receipt_entry(answer, limit, generation, buckets)
  return string.format('%s %d %d %.0f %s %s', answer, limit.used, limit.count, limit.window, generation, buckets)
end

-- The receipts of recipients, in their order; false: there is none.
local function receipts_of(ordinals)
  local receipts = {}
  for first = 1, #ordinals, PIECE do
    local last = math.min(first + PIECE - 1, #ordinals)
    for at, receipt in ipairs(redis.call('HMGET', KEYS[4], unpack(ordinals, first, last))) do
      receipts[first + at - 1] = receipt
    end
  end
  return receipts
end

-- The same receipt for each of the recipients.
local function keep_receipts(ordinals, entry)
  for first = 1, #ordinals, PIECE do
    local fields = {}
    for at = first, math.min(first + PIECE - 1, #ordinals) do
      fields[#fields + 1] = ordinals[at]
      fields[#fields + 1] = entry
    end
    redis.call('HSET', KEYS[4], unpack(fields))
  end
  redis.call('PEXPIRE', KEYS[4], RECEIPT_TTL)
end

-- Restricts the tenant, which opens a case; returns that.
local function trip(ask)
  local over, limits = ask.over, ask.limits
  local reason = (ask.meter == 'f' and 'forwarded allowance of ' or 'allowance of ') .. over.text .. ' exceeded'
    .. (ask.recipients > 1 and ' by ' .. string.format(ask.by, ask.recipients) or '')
    .. (ask.probation and ' within probation' or '')
  local case = open_case(KEYS[1])
  local transaction, random = names_of_recipient(ask)
  local windows = {}
  for at, limit in ipairs(limits) do
    windows[at] = { window = limit.window, limit = limit.count, used = limit.used }
  end
  local event = raise_event(KEYS[1], random, 'restricted', {
    scope = 'unregistered', by = 'automatic', reason = reason, case = case, trigger = facts_of(ask, over),
    windows = windows, probation = ask.probation and true or false, transaction = transaction,
  })
  redis.call('HSET', KEYS[3], 'since', ask.now, 'by', 'automatic', 'scope', 'unregistered', 'reason', reason,
    'case', case, 'event', event, unpack(trigger_of(ask, over)))
  if ask.probation then redis.call('HSET', KEYS[3], 'probation', '1') end
  change_tenant(KEYS[1], 'state', random)
  return case
end

-- Notes the first would-be trip of a tenant in monitor; 1: this is it.
local function note_would_trip(ask)
  local would_trip = { 'since', ask.now, unpack(trigger_of(ask, ask.over)) }
  return redis.call('HSETNX', KEYS[2], 'wouldTrip', table.concat(would_trip, '\t'))
end

-- Tells which edges are reached, and which have ended; of a window, the highest of those that are reached at once.
local function tell_edges(ask)
  local fields, limits, text, now = ask.fields, ask.limits, ask.warned, ask.now
  local levels, told, left = {}, {}, {}
  local _, random = names_of_recipient(ask)
  for at, limit in ipairs(limits) do levels[fields[at + 1]] = level_of(ask.percents, limit.used, limit.count) end
  for _, edge in ipairs(open_edges(text)) do
    local is_ours = string.sub(edge.field, 1, 1) == ask.meter
    if is_ours and edge.percent > (levels[edge.field] or 0) and may_end(edge, now) then
      end_edge(KEYS[1], random, edge)
    else
      told[edge.field] = math.max(told[edge.field] or 0, edge.percent)
      left[#left + 1] = edge
    end
  end
  for at, limit in ipairs(limits) do
    local field = fields[at + 1]
    if levels[field] > (told[field] or 0) then
      limit.reached = levels[field]
      local facts = facts_of(ask, limit)
      facts.percent = limit.reached
      local event = raise_event(KEYS[1], random, 'allowance', facts)
      left[#left + 1] = { field = field, percent = limit.reached, event = event, told = now }
    end
  end
  local now_open = edges_text(left)
  if now_open ~= text then redis.call('HSET', KEYS[2], 'warned', now_open) end
end

-- Counts the recipients. Returns the fields and values that hold the windows then, the buckets that they are in, and
-- whether an edge may be reached, or end.
local function counted(ask)
  local rings, buckets = {}, {}
  -- Most recipients are far from any edge, and cost nothing more then.
  local lowest = tonumber(string.match(ask.percents, '^%d+'))
  local has_edges = ask.warned ~= ''
  for at, limit in ipairs(ask.limits) do
    local field = ask.fields[at + 1]
    local ring = adjusted(limit.ring, limit.newest, limit.used, limit.newest, ask.recipients)
    limit.used = limit.used + ask.recipients
    if lowest and limit.used * 100 >= limit.count * lowest then has_edges = true end
    rings[2 * at - 1], rings[2 * at] = field, ring
    buckets[at] = string.format('%s:%.0f', field, limit.newest)
  end
  return rings, table.concat(buckets, ','), has_edges
end

-- What follows the counts of the tightest window in a reply: 1 at the first would-be trip, and the windows.
local function windows_text(ask, first_would_trip)
  local windows = ' ' .. first_would_trip
  for _, limit in ipairs(ask.limits) do windows = windows .. counts_of(limit) .. ' ' .. (limit.reached or 0) end
  return windows
end
