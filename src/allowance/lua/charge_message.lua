-- Charges all recipients of a message that is there, in every window of the meter that it belongs to; or none of them,
-- and says why. Ends their holds, if they had any. A tenant that would exceed a limit is restricted in the same call.
-- Recipients of a message that Haraka or another plugin has accepted already are charged whatever the limits, and restrict
-- the tenant even so.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] restriction   KEYS[4] receipt   KEYS[5] domains
-- KEYS[6 …] counters of the signatures that prove a forward
-- ARGV[1] ordinals of the recipients, joined by commas; `7*40`: 40 recipients that were accepted already, as ordinal 7
-- ARGV[2] not-after: server time in ms after which nothing is done; `dry`: only say what would happen
-- ARGV[3] letter of the meter. If that counts proven forwards, the letter of the meter follows that counts the message
--         once the signatures prove no more, and ! if nothing counts it then. Override, default mode and limits, the
--         percentages of a limit that are edges, and whether proven forwards of a restricted tenant are accepted (a) or
--         refused (r, and o: what was held before forwards were turned off), joined by tabs
-- ARGV[4] domain, connector and address for the trigger, joined by tabs
-- ARGV[5] ms that a counter of a signature lives, where the allowance for forwards has no window
-- ARGV[6 …] the domain that makes it unregistered and its parents
--
-- Reply: { text, letter of the meter that decided, 1 if the signatures prove no more recipients, else 0 }; the text as that
--        of charge.lua.
-- CHARGED     counted
-- FORWARDED   counted as a proven forward
-- UNPROVEN    not counted: the signatures prove no more recipients, or there is no allowance for forwards
-- TRIPPED     the tenant has been restricted in this call; only recipients that were accepted already are counted
-- RESTRICTED, ZERO, DEFER, REGISTERED, EXPIRED, OFF, GONE: as there; the holds go on, a refund ends them
--
-- @include store/clock
-- @include mail/meters
-- @include allowance/limits
-- @include allowance/temporary
-- @include allowance/mode
-- @include allowance/probation
-- @include allowance/accepted
-- @include allowance/receipts
-- @include allowance/give_back
-- @include allowance/counting
local tenant_key, usage_key, restriction_key, receipt_key, domains_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- One signature proves this many recipients in the longest window of the allowance for forwards: it shows who wrote a
-- message, and not that the tenant does not send it to the whole world.
local MOST_PROVEN = 5

local now = now_ms()
local dry = ARGV[2] == 'dry'
local letter, unproven, proven_only, override, default_mode, default_limits, percents, when_restricted =
  string.match(ARGV[3], '^(.)(%a?)(!?)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$')
local meter = meter_of(letter)
local otherwise = meter_of(unproven)
local exhausted = 0

local function reply(text)
  return { text, meter.letter, exhausted }
end

local function answer_only(answer)
  return string.format('%s %.0f', answer, now)
end

local one, accepted = string.match(ARGV[1], '^(%d+)%*(%d+)$')
local ordinals = { one }
if not accepted then
  for ordinal in string.gmatch(ARGV[1], '%d+') do ordinals[#ordinals + 1] = ordinal end
end

-- A message that has tripped is refused as a whole: only recipients that were accepted even so are charged.
local tripped = not accepted and redis.call('HGET', receipt_key, TRIPPED_FIELD)
if tripped then
  local counts
  counts, letter, exhausted = string.match(tripped, '^TRIPPED (%d+ %d+ %d+) .* (%a) (%d)$')
  meter, exhausted = meter_of(letter), tonumber(exhausted)
  return reply(answer_only('TRIPPED') .. ' ' .. counts .. ' ' .. (redis.call('HGET', restriction_key, 'case') or ''))
end

-- The recipients that are still to be charged, those of them that are held, and what the others were answered.
local left, holds, held, answered = {}, {}, {}, nil
for at, entry in ipairs(receipts_of(receipt_key, ordinals)) do
  local answer = entry and string.match(entry, '^%u+')
  if not entry or answer == 'HELD' then
    left[#left + 1] = ordinals[at]
    if entry then
      holds[#holds + 1] = entry
      held[#held + 1] = ordinals[at]
    end
  elseif answer ~= 'SETTLED' then
    answered = entry
  end
end
if #left == 0 then
  if not answered then return reply(answer_only('EXPIRED')) end
  local answer, counts = string.match(answered, '^(%u+) (%d+ %d+ %d+)')
  if answer == 'CHARGED' and meter.proven then meter = otherwise end
  local case = answer == 'TRIPPED' and redis.call('HGET', restriction_key, 'case')
  return reply(string.format('%s %.0f %s %s', answer, now, counts, case or ''))
end

if not dry and now > tonumber(ARGV[2]) then return reply(answer_only('EXPIRED')) end

local tenant = redis.call('HMGET', tenant_key, 'createdAt', (otherwise or meter).limits, 'mode', 'probation', meter.limits,
  (otherwise or meter).temporary, meter.temporary)
if not tenant[1] then return reply(answer_only('GONE')) end

local mode = mode_of(override, tenant[3], default_mode, restriction_key)
if mode == 'off' then return reply(answer_only('OFF')) end

local enforcing = mode == 'enforce'
local scope = enforcing and redis.call('HGET', restriction_key, 'scope')

local function restricted()
  local case = redis.call('HGET', restriction_key, 'case')
  return reply(string.format('%s %s %s', answer_only('RESTRICTED'), scope, case or ''))
end

local recipients = accepted and tonumber(accepted) or #left
if scope == 'all' and not accepted then return restricted() end

if is_accepted(domains_key, { unpack(ARGV, 6) }) then return reply(answer_only('REGISTERED')) end

if meter.proven then
  for at = 6, #KEYS do
    if (tonumber(redis.call('GET', KEYS[at]) or '') or 0) + recipients > MOST_PROVEN then exhausted = 1 end
  end
  if exhausted == 1 or not tenant[5] then
    meter = otherwise
    if proven_only ~= '' and not accepted then return reply(answer_only('UNPROVEN')) end
  end
end
local forwarded = meter.proven
if scope and not accepted and not (forwarded and when_restricted == 'a') then return restricted() end

local probation = meter.on_probation and tenant[4] and probation_at(tenant[4], now)
local text = tenant[forwarded and 7 or 6]
local own = text and temporary_at(text, now) or forwarded and tenant[5] or tenant[2] or default_limits
local limits = limits_in_force(meter, own, probation, scope)

local request = {
  meter = meter, limits = limits,
  created = tenant[1], recipients = recipients, now = now, percents = percents, facts = ARGV[4], ordinal = left[1],
  probation = probation, dry = dry,
  by = accepted and '%d recipients that another plugin accepted or added' or 'a message to %d recipients',
}
read_windows(tenant_key, usage_key, receipt_key, request)
local zero, over, deferring = request.zero, request.over, request.deferring
-- Without limits there is no window; the receipts are kept even so.
local tightest = request.tightest or { used = 0, count = 0, window = 0 }

local function decided(answer, limit)
  return answer_only(answer) .. counts_of(limit)
end

-- Holds from before a lift ended with the usage of that time.
local function end_holds()
  local rings = {}
  for _, entry in ipairs(holds) do
    local generation, buckets = string.match(entry, '^HELD %d+ %d+ %d+ (%S+) (%S+)$')
    if generation == request.generation then give_back(usage_key, rings, buckets) end
  end
  for field, ring in pairs(rings) do redis.call('HSET', usage_key, field, ring) end
end

if enforcing and not accepted and (zero or over or deferring) then
  if zero then return reply(decided('ZERO', zero)) end
  if not over then return reply(decided('DEFER', deferring)) end
  -- Forwards of a restricted tenant have used up their allowance: the tenant cannot be restricted twice.
  if scope then return restricted() end
  if dry then return reply(decided('TRIPPED', over)) end
  local case = trip(tenant_key, restriction_key, receipt_key, request)
  local entry = receipt_entry('TRIPPED', counts_of(over), request.generation, '-')
  keep_receipts(receipt_key, { TRIPPED_FIELD }, string.format('%s %s %d', entry, meter.letter, exhausted))
  end_holds()
  for first = 1, #held, BATCH do
    redis.call('HDEL', receipt_key, unpack(held, first, math.min(first + BATCH - 1, #held)))
  end
  return reply(decided('TRIPPED', over) .. ' ' .. case)
end

local answer = forwarded and 'FORWARDED' or 'CHARGED'
local first_would_trip = 0
if not dry and not enforcing and over and meter.restricts then first_would_trip = note_would_trip(usage_key, request) end

-- It is too late to refuse recipients that were accepted: they are counted, and the tenant is restricted.
local late_trip, late_receipt
if accepted and not dry and enforcing and over and not zero and not scope and meter.restricts then
  late_trip = decided('TRIPPED', over) .. ' ' .. trip(tenant_key, restriction_key, receipt_key, request)
  late_receipt = receipt_entry('TRIPPED', counts_of(over), '-', '-')
end

local rings, buckets, has_edges = counted(request)
if not dry then
  if #rings > 0 then redis.call('HSET', usage_key, unpack(rings)) end
  -- What was accepted is never refunded.
  local generation = accepted and '-' or request.generation
  local entry = late_receipt or receipt_entry(answer, counts_of(tightest), generation, buckets ~= '' and buckets or '-')
  keep_receipts(receipt_key, left, entry)
  end_holds()
  if has_edges then raise_edges(tenant_key, usage_key, receipt_key, request) end
  if forwarded then
    local longest = tonumber(ARGV[5])
    for at, limit in ipairs(limits) do longest = at == 1 and limit.window or math.max(longest, limit.window) end
    for at = 6, #KEYS do
      redis.call('INCRBY', KEYS[at], recipients)
      redis.call('PEXPIRE', KEYS[at], longest)
    end
  end
end

return reply(late_trip or decided(answer, tightest) .. news_of(request, first_would_trip))
