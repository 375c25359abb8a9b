-- Charges one recipient in every window of a meter; or charges nothing and says why. A tenant that would go past a
-- limit of `unregistered` is restricted in this same call.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] restriction   KEYS[4] receipt   KEYS[5] domains, where names are given
-- ARGV[1] ordinal of the recipient in its transaction
-- ARGV[2] not-after: server time in ms past which nothing is done any more; `dry`: only say what would happen
-- ARGV[3] the domains token that the caller knows
-- ARGV[4] meter (u: unregistered, n: null), override (a mode that wins over all, or empty), mode and limits of a tenant
--         that has none of its own, and the percentages of a limit that are told, joined by tabs
-- ARGV[5] domain, connector and address for the trigger, joined by tabs
-- ARGV[6 …] the sender domain and its parents, where the answer before was STALE
--
-- Few and short arguments, and one text for a reply: each costs the caller more than it costs Redis.
-- Reply: `answer time used limit window`: server time in ms, and the window in ms that decided or has the least left.
-- CHARGED     counted; in monitor `used` may exceed `limit`. Then follow 1 if this is the first would-be trip, else 0,
--             and of every window used, limit, window, and the percentage that this recipient has reached in it, or 0;
--             none of these where it was counted before
-- TRIPPED     not counted, and the tenant has been restricted in this call; the case follows
-- RESTRICTED  not counted; the scope stands in place of `used`, and the case, if it has one, behind it
-- ZERO        not counted: a limit of 0
-- DEFER       not counted: a limit with `defer` is reached
-- FULL        not counted: the allowance of the null sender is reached
-- REGISTERED  not counted: the sender domain is an accepted domain by now
-- STALE       nothing done: the list of accepted domains is another than the caller's
-- EXPIRED     nothing done: past not-after, or settled already
-- OFF         nothing done: the tenant's mode is off
-- GONE        nothing done: there is no such tenant
--
-- @include clock
-- @include change
-- @include ring
-- @include limits
-- @include event
-- @include edges
-- @include case
-- @include probation
local RECEIPT_TTL = 3600000

local now = now_ms()
local ordinal, dry = ARGV[1], ARGV[2] == 'dry'
local meter, override, default_mode, default_limits, percents =
  string.match(ARGV[4], '^(.)\t(.-)\t(.-)\t(.-)\t(.*)$')

local function answer_only(answer)
  return string.format('%s %.0f', answer, now)
end

local receipt = redis.call('HGET', KEYS[4], ordinal)
if receipt then
  local answer, counts = string.match(receipt, '^(%u+) (%d+ %d+ %d+)')
  if answer == 'SETTLED' then return answer_only('EXPIRED') end
  local case = answer == 'TRIPPED' and redis.call('HGET', KEYS[3], 'case')
  return string.format('%s %.0f %s %s', answer, now, counts, case or '')
end

if not dry and now > tonumber(ARGV[2]) then return answer_only('EXPIRED') end

local tenant = redis.call('HMGET', KEYS[1], 'createdAt', 'domains', meter == 'u' and 'limits' or 'nullLimits', 'mode',
  'probation')
if not tenant[1] then return answer_only('GONE') end

local mode = override ~= '' and override or tenant[4] or default_mode
if mode == 'off' then return answer_only('OFF') end

local stale = meter == 'u' and tenant[2] ~= ARGV[3]
if stale and #ARGV < 6 then return answer_only('STALE') end

local enforcing = mode == 'enforce'
local scope = enforcing and redis.call('HGET', KEYS[3], 'scope')

local function restricted()
  return string.format('%s %s %s', answer_only('RESTRICTED'), scope, redis.call('HGET', KEYS[3], 'case') or '')
end

-- It stops registered mail too.
if scope == 'all' then return restricted() end

if stale then
  local entries = redis.call('HMGET', KEYS[5], unpack(ARGV, 6))
  for at, entry in ipairs(entries) do
    if entry and (at == 1 or string.match(entry, '^%l*s')) then return answer_only('REGISTERED') end
  end
end

if scope and meter == 'u' then return restricted() end

local probation = meter == 'u' and tenant[5] and probation_at(tenant[5], now)
local limits = limits_in_force(tenant[3] or default_limits, probation)
if #limits == 0 then return answer_only('CHARGED') end

local fields = { 'generation' }
for at, limit in ipairs(limits) do fields[at + 1] = meter .. limit.window end
if meter == 'u' then fields[#fields + 1] = 'warned' end
local usage = redis.call('HMGET', KEYS[2], unpack(fields))
local generation = usage[1] or tenant[1]

local over, deferring, zero, tightest
for at, limit in ipairs(limits) do
  local ring, newest, total = advance(usage[at + 1], bucket_of(now, limit.window))
  limit.ring, limit.newest, limit.used = ring, newest, total
  if total + 1 > limit.count then
    if limit.defer then
      deferring = deferring or limit
    elseif limit.count == 0 then
      zero = zero or limit
    else
      over = over or limit
    end
  end
  if not tightest or limit.count - total < tightest.count - tightest.used then tightest = limit end
end

local function counts_of(limit)
  return string.format(' %.0f %.0f %.0f', limit.used, limit.count, limit.window)
end

local function reply(answer, limit)
  return answer_only(answer) .. counts_of(limit)
end

local function facts_of(limit)
  local domain, connector, ip = string.match(ARGV[5], '^([^\t]*)\t([^\t]*)\t([^\t]*)$')
  return {
    window = limit.window, limit = limit.count, used = limit.used,
    domain = domain or '', connector = connector or '', ip = ip or '',
  }
end

local function trigger_of(limit)
  local facts = facts_of(limit)
  return {
    'window', facts.window, 'limit', facts.limit, 'used', facts.used,
    'domain', facts.domain, 'connector', facts.connector, 'ip', facts.ip,
  }
end

-- The transaction, and what makes a token or an id of this recipient another than all others.
local function names_of_recipient()
  local transaction = string.match(KEYS[4], ':receipt:(.*)$')
  return transaction, ordinal .. ':' .. transaction
end

local function keep_receipt(answer, limit, buckets)
  local entry = string.format('%s %d %d %.0f %s %s', answer, limit.used, limit.count, limit.window, generation, buckets)
  redis.call('HSET', KEYS[4], ordinal, entry)
  redis.call('PEXPIRE', KEYS[4], RECEIPT_TTL)
end

if enforcing and (zero or over or deferring) then
  if meter == 'n' then return reply('FULL', zero or over or deferring) end
  if zero then return reply('ZERO', zero) end
  if not over then return reply('DEFER', deferring) end
  if dry then return reply('TRIPPED', over) end
  local reason = 'allowance of ' .. over.text .. ' exceeded' .. (probation and ' within probation' or '')
  local case = open_case(KEYS[1])
  local transaction, random = names_of_recipient()
  local windows = {}
  for at, limit in ipairs(limits) do
    windows[at] = { window = limit.window, limit = limit.count, used = limit.used }
  end
  local event = raise_event(KEYS[1], random, 'restricted', {
    scope = 'unregistered', by = 'automatic', reason = reason, case = case, trigger = facts_of(over),
    windows = windows, probation = probation and true or false, transaction = transaction,
  })
  redis.call('HSET', KEYS[3], 'since', now, 'by', 'automatic', 'scope', 'unregistered', 'reason', reason,
    'case', case, 'event', event, unpack(trigger_of(over)))
  if probation then redis.call('HSET', KEYS[3], 'probation', '1') end
  change_tenant(KEYS[1], 'state', random)
  keep_receipt('TRIPPED', over, '-')
  return reply('TRIPPED', over) .. ' ' .. case
end

local first_would_trip = 0
if not dry and meter == 'u' and over then
  local would_trip = { 'since', now, unpack(trigger_of(over)) }
  first_would_trip = redis.call('HSETNX', KEYS[2], 'wouldTrip', table.concat(would_trip, '\t'))
end

-- Most recipients are far from any edge, and cost nothing more then.
local warned = meter == 'u' and usage[#fields] or ''
local lowest = tonumber(string.match(percents, '^%d+'))
local has_edges = warned ~= ''

local rings, buckets = {}, {}
for at, limit in ipairs(limits) do
  local ring = adjusted(limit.ring, limit.newest, limit.used, limit.newest, 1)
  limit.used = limit.used + 1
  if lowest and limit.used * 100 >= limit.count * lowest then has_edges = true end
  rings[2 * at - 1], rings[2 * at] = fields[at + 1], ring
  buckets[at] = string.format('%s:%.0f', fields[at + 1], limit.newest)
end

-- Tells which edges are reached, and which have ended; of a window, the highest of those that one recipient reaches.
local function tell_edges(text)
  local levels, told, left = {}, {}, {}
  local _, random = names_of_recipient()
  for at, limit in ipairs(limits) do levels[fields[at + 1]] = level_of(percents, limit.used, limit.count) end
  for _, edge in ipairs(open_edges(text)) do
    if edge.percent > (levels[edge.field] or 0) and may_end(edge, now) then
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
      local facts = facts_of(limit)
      facts.percent = limit.reached
      local event = raise_event(KEYS[1], random, 'allowance', facts)
      left[#left + 1] = { field = field, percent = limit.reached, event = event, told = now }
    end
  end
  local now_open = edges_text(left)
  if now_open ~= text then redis.call('HSET', KEYS[2], 'warned', now_open) end
end

if not dry then
  redis.call('HSET', KEYS[2], unpack(rings))
  keep_receipt('CHARGED', tightest, table.concat(buckets, ','))
  if has_edges then tell_edges(warned) end
end

local windows = ''
for _, limit in ipairs(limits) do windows = windows .. counts_of(limit) .. ' ' .. (limit.reached or 0) end
return reply('CHARGED', tightest) .. ' ' .. first_would_trip .. windows
