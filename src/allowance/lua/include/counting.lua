-- Counts recipients in the windows of a meter, or restricts the tenant.
--
-- A request says what is asked for: meter (its row), limits, created (the tenant's createdAt), recipients (how many at once), now,
-- percents (edges of a limit), facts (domain, connector and address, joined by tabs), ordinal (of the first recipient),
-- probation, dry (nothing is written) and by (what several recipients are, for the reason). read_windows adds what it
-- finds: fields, generation, warned (the open edges), zero, over and deferring (limits that would be exceeded), tightest.
--
-- @include records/event
-- @include allowance/ring
-- @include allowance/receipts
-- @include allowance/unreadable

-- The transaction, and what makes a token or an id unique to this recipient.
local function names_of_recipient(receipt_key, request)
  local transaction = string.match(receipt_key, ':receipt:(.*)$')
  return transaction, request.ordinal .. ':' .. transaction
end

local function read_windows(tenant_key, usage_key, receipt_key, request)
  local letter, now, limits, more = request.meter.letter, request.now, request.limits, request.recipients
  local fields = { 'generation' }
  for at, limit in ipairs(limits) do fields[at + 1] = letter .. limit.window end
  fields[#fields + 1] = 'warned'
  fields[#fields + 1] = 'unreadable'
  local usage = redis.call('HMGET', usage_key, unpack(fields))
  request.fields, request.generation, request.warned = fields, usage[1] or request.created, usage[#fields - 1] or ''
  local unreadable = usage[#fields] or ''

  for at, limit in ipairs(limits) do
    local field, bucket = fields[at + 1], bucket_of(now, limit.window)
    local ring, newest, total, set_back, is_unreadable = advance(usage[at + 1], bucket)
    -- No recipient is refused for a total that the buckets never take away again.
    if total > limit.count - more and not adds_up(ring, total) then is_unreadable = true end
    if is_unreadable then
      ring, newest, total, set_back = empty_ring(), bucket, 0, false
      if not request.dry then
        local _, random = names_of_recipient(receipt_key, request)
        unreadable = start_afresh(tenant_key, usage_key, random, field, limit.window, unreadable, now)
      end
    end
    if set_back and not request.dry then redis.call('HSET', usage_key, field, ring) end
    limit.ring, limit.newest, limit.used = ring, newest, total
    if total + more > limit.count then
      if limit.defer then
        request.deferring = request.deferring or limit
      elseif limit.count == 0 then
        request.zero = request.zero or limit
      else
        request.over = request.over or limit
      end
    elseif is_unreadable or (unreadable ~= '' and now < unreadable_until(unreadable, field)) then
      request.deferring = request.deferring or limit
    end
    local tightest = request.tightest
    if not tightest or limit.count - total < tightest.count - tightest.used then request.tightest = limit end
  end
end

local function facts_of(request, limit)
  local domain, connector, ip = string.match(request.facts, '^([^\t]*)\t([^\t]*)\t([^\t]*)$')
  return {
    window = limit.window, limit = limit.count, used = limit.used, meter = request.meter.name,
    domain = domain or '', connector = connector or '', ip = ip or '',
  }
end

local function trigger_of(request, limit)
  local facts = facts_of(request, limit)
  local trigger = {
    'window', facts.window, 'limit', facts.limit, 'used', facts.used,
    'domain', facts.domain, 'connector', facts.connector, 'ip', facts.ip,
  }
  if facts.meter then
    trigger[13], trigger[14] = 'meter', facts.meter
  end
  return trigger
end

-- Restricts the tenant, which opens a case. Returns the case.
local function trip(tenant_key, restriction_key, receipt_key, request)
  -- @include records/case
  -- @include allowance/standing
  local over, limits = request.over, request.limits
  local reason = (request.meter.name and request.meter.name .. ' ' or '') .. 'allowance of ' .. over.text .. ' exceeded'
    .. (request.recipients > 1 and ' by ' .. string.format(request.by, request.recipients) or '')
    .. (request.probation and ' within probation' or '')
  local case = open_case(tenant_key)
  local transaction, random = names_of_recipient(receipt_key, request)
  local windows = {}
  for at, limit in ipairs(limits) do
    windows[at] = { window = limit.window, limit = limit.count, used = limit.used }
  end
  local event = raise_event(tenant_key, random, 'restricted', {
    scope = 'unregistered', by = 'automatic', reason = reason, case = case, trigger = facts_of(request, over),
    windows = windows, probation = request.probation and true or false, transaction = transaction,
  })
  redis.call('HSET', restriction_key, 'since', restricted_since(tenant_key, request.now), 'by', 'automatic',
    'scope', 'unregistered', 'reason', reason, 'case', case, 'event', event, unpack(trigger_of(request, over)))
  if request.probation then redis.call('HSET', restriction_key, 'probation', '1') end
  announce_restriction(tenant_key, restriction_key, random)
  return case
end

-- Keeps the first would-be trip of a tenant in monitor; 1: this is the first.
local function note_would_trip(usage_key, request)
  local would_trip = { 'since', request.now, unpack(trigger_of(request, request.over)) }
  return redis.call('HSETNX', usage_key, 'wouldTrip', table.concat(would_trip, '\t'))
end

-- Raises an event for each edge that is reached or has ended; of a window, the highest of those that are reached at once.
local function raise_edges(tenant_key, usage_key, receipt_key, request)
  -- @include allowance/edges
  local fields, limits, text, now = request.fields, request.limits, request.warned, request.now
  local levels, open, left = {}, {}, {}
  local _, random = names_of_recipient(receipt_key, request)
  for at, limit in ipairs(limits) do levels[fields[at + 1]] = level_of(request.percents, limit.used, limit.count) end
  for _, edge in ipairs(open_edges(text)) do
    local is_ours = string.sub(edge.field, 1, 1) == request.meter.letter
    if is_ours and edge.percent > (levels[edge.field] or 0) and may_end(edge, now) then
      end_edge(tenant_key, random, edge)
    else
      open[edge.field] = math.max(open[edge.field] or 0, edge.percent)
      left[#left + 1] = edge
    end
  end
  for at, limit in ipairs(limits) do
    local field = fields[at + 1]
    if levels[field] > (open[field] or 0) then
      limit.reached = levels[field]
      local facts = facts_of(request, limit)
      facts.percent = limit.reached
      local event = raise_event(tenant_key, random, 'allowance', facts)
      left[#left + 1] = { field = field, percent = limit.reached, event = event, raised = now }
    end
  end
  local now_open = edges_text(left)
  if now_open ~= text then redis.call('HSET', usage_key, 'warned', now_open) end
end

-- Counts the recipients. Returns fields and values to write into the usage, the buckets that hold the recipients, and
-- whether an edge may be reached, or end.
local function counted(request)
  local rings, buckets = {}, {}
  -- Most recipients are far from any edge: they cost no more than this.
  local lowest = tonumber(string.match(request.percents, '^%d+'))
  local has_edges = request.warned ~= ''
  for at, limit in ipairs(request.limits) do
    local field = request.fields[at + 1]
    local ring = adjusted(limit.ring, limit.newest, limit.used, limit.newest, request.recipients)
    limit.used = limit.used + request.recipients
    if lowest and limit.used * 100 >= limit.count * lowest then has_edges = true end
    rings[2 * at - 1], rings[2 * at] = field, ring
    buckets[at] = string.format('%s:%.0f', field, limit.newest)
  end
  return rings, table.concat(buckets, ','), has_edges
end

-- What follows the counts of the tightest window in a reply; nothing after most charges, which have no news: 1 at the first
-- would-be trip, and the windows that have reached an edge.
local function news_of(request, first_would_trip)
  local windows = ''
  for _, limit in ipairs(request.limits) do
    if limit.reached then windows = windows .. counts_of(limit) .. ' ' .. limit.reached end
  end
  if windows == '' and first_would_trip == 0 then return '' end
  return ' ' .. first_would_trip .. windows
end
