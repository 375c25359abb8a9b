-- Charges all recipients of a message that is there, in every window of the meter that it belongs to; or none of them,
-- and says why. Ends their holds, if it had any. A tenant that would go past a limit is restricted in this same call.
-- Recipients of a message that has been taken already are charged whatever the limits, and restrict the tenant all the
-- same.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] restriction   KEYS[4] receipt   KEYS[5] domains
-- KEYS[6 …] counters of the signatures that prove a forward
-- ARGV[1] ordinals of the recipients, joined by commas; `7*40`: 40 recipients that have been taken, as ordinal 7
-- ARGV[2] not-after: server time in ms past which nothing is done any more; `dry`: only say what would happen
-- ARGV[3] meter (u: unregistered; f: forwarded, or else unregistered; p: forwarded or nothing; n: null), override, mode
--         and limits for such mail of a tenant that has none of its own, the percentages of a limit that are told, and
--         whether proven forwards of a restricted tenant are accepted (a) or refused (r), joined by tabs
-- ARGV[4] domain, connector and address for the trigger, joined by tabs
-- ARGV[5] ms that a counter of a signature lives, where the allowance for forwards has no window
-- ARGV[6 …] the domain that makes it unregistered and its parents
--
-- Reply: { text, meter: f, u or n, 1 if the signatures prove nothing any more, else 0 }; the text as that of charge.lua.
-- CHARGED     counted as unregistered
-- FORWARDED   counted as forwarded
-- UNPROVEN    not counted: forwarded or nothing, and the signatures prove nothing any more, or there is no allowance
-- TRIPPED     the tenant has been restricted in this call; nothing is counted, but what has been taken
-- RESTRICTED, ZERO, DEFER, REGISTERED, EXPIRED, OFF, GONE: as there; the holds go on, a refund ends them
--
-- @include store/clock
-- @include records/change
-- @include allowance/ring
-- @include allowance/limits
-- @include allowance/mode
-- @include records/event
-- @include allowance/edges
-- @include allowance/unreadable
-- @include records/case
-- @include allowance/probation
-- @include allowance/counting
-- @include allowance/holds
-- @include allowance/give_back
-- One signature proves so many recipients in the longest window of the allowance for forwards, and no more: it tells who
-- wrote a message, and not that nobody sends it to the whole world.
local MOST_PROVEN = 5

local now = now_ms()
local dry = ARGV[2] == 'dry'
local meter, override, default_mode, default_limits, percents, when_restricted =
  string.match(ARGV[3], '^(.)\t(.-)\t(.-)\t(.-)\t(.-)\t(.*)$')
local proven_only = meter == 'p'
if proven_only then meter = 'f' end
local exhausted = 0

local function reply(text)
  return { text, meter, exhausted }
end

local function answer_only(answer)
  return string.format('%s %.0f', answer, now)
end

local one, taken = string.match(ARGV[1], '^(%d+)%*(%d+)$')
local ordinals = { one }
if not taken then
  for ordinal in string.gmatch(ARGV[1], '%d+') do ordinals[#ordinals + 1] = ordinal end
end

-- It is refused as a whole, so nothing of it can be charged any more but what was taken all the same.
local tripped = not taken and redis.call('HGET', KEYS[4], TRIPPED_FIELD)
if tripped then
  local counts
  counts, meter, exhausted = string.match(tripped, '^TRIPPED (%d+ %d+ %d+) .* (%a) (%d)$')
  exhausted = tonumber(exhausted)
  return reply(answer_only('TRIPPED') .. ' ' .. counts .. ' ' .. (redis.call('HGET', KEYS[3], 'case') or ''))
end

-- Those that are still to be charged, with or without a hold; and what the others were answered.
local left, holds, held, answered = {}, {}, {}, nil
for at, entry in ipairs(receipts_of(ordinals)) do
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
  if answer == 'CHARGED' and meter == 'f' then meter = 'u' end
  local case = answer == 'TRIPPED' and redis.call('HGET', KEYS[3], 'case')
  return reply(string.format('%s %.0f %s %s', answer, now, counts, case or ''))
end

if not dry and now > tonumber(ARGV[2]) then return reply(answer_only('EXPIRED')) end

local tenant = redis.call('HMGET', KEYS[1], 'createdAt', meter == 'n' and 'nullLimits' or 'limits', 'mode',
  'probation', 'forwardedLimits')
if not tenant[1] then return reply(answer_only('GONE')) end

local mode = mode_of(override, tenant[3], default_mode)
if mode == 'off' then return reply(answer_only('OFF')) end

local enforcing = mode == 'enforce'
local scope = enforcing and redis.call('HGET', KEYS[3], 'scope')

local function restricted()
  return reply(string.format('%s %s %s', answer_only('RESTRICTED'), scope, redis.call('HGET', KEYS[3], 'case') or ''))
end

local recipients = taken and tonumber(taken) or #left
if scope == 'all' and not taken then return restricted() end

local entries = redis.call('HMGET', KEYS[5], unpack(ARGV, 6))
for at, entry in ipairs(entries) do
  if entry and (at == 1 or string.match(entry, '^%l*s')) then return reply(answer_only('REGISTERED')) end
end

if meter == 'f' then
  for at = 6, #KEYS do
    if (tonumber(redis.call('GET', KEYS[at]) or '') or 0) + recipients > MOST_PROVEN then exhausted = 1 end
  end
  if exhausted == 1 or not tenant[5] then
    meter = 'u'
    if proven_only and not taken then return reply(answer_only('UNPROVEN')) end
  end
end
local forwarded = meter == 'f'
if scope and not taken and not (forwarded and when_restricted == 'a') then return restricted() end

local probation = meter == 'u' and tenant[4] and probation_at(tenant[4], now)
local limits
if forwarded then
  limits = parse_limits(tenant[5])
elseif meter == 'n' then
  limits = null_limits_in_force(tenant[2] or default_limits, scope)
else
  limits = limits_in_force(tenant[2] or default_limits, probation)
end

local ask = {
  meter = meter, limits = limits,
  created = tenant[1], recipients = recipients, now = now, percents = percents, facts = ARGV[4], ordinal = left[1],
  probation = probation, dry = dry,
  by = taken and '%d recipients that another plugin accepted or added' or 'a message to %d recipients',
}
read_windows(ask)
local zero, over, deferring = ask.zero, ask.over, ask.deferring
-- Where there is no limit, nothing has a window; the receipts are kept all the same.
local tightest = ask.tightest or { used = 0, count = 0, window = 0 }

local function decided(answer, limit)
  return answer_only(answer) .. counts_of(limit)
end

-- Those of before a lift are gone with the usage of then.
local function end_holds()
  local rings = {}
  for _, entry in ipairs(holds) do
    local generation, buckets = string.match(entry, '^HELD %d+ %d+ %d+ (%S+) (%S+)$')
    if generation == ask.generation then give_back(KEYS[2], rings, buckets) end
  end
  for field, ring in pairs(rings) do redis.call('HSET', KEYS[2], field, ring) end
end

if enforcing and not taken and (zero or over or deferring) then
  if zero then return reply(decided('ZERO', zero)) end
  if not over then return reply(decided('DEFER', deferring)) end
  -- Forwards of a restricted tenant have used up what is theirs: it cannot be restricted twice.
  if scope then return restricted() end
  if dry then return reply(decided('TRIPPED', over)) end
  local case = trip(ask)
  local entry = receipt_entry('TRIPPED', over, ask.generation, '-')
  keep_receipts({ TRIPPED_FIELD }, string.format('%s %s %d', entry, meter, exhausted))
  end_holds()
  for first = 1, #held, PIECE do
    redis.call('HDEL', KEYS[4], unpack(held, first, math.min(first + PIECE - 1, #held)))
  end
  return reply(decided('TRIPPED', over) .. ' ' .. case)
end

local answer = forwarded and 'FORWARDED' or 'CHARGED'
local first_would_trip = 0
if not dry and not enforcing and over and meter ~= 'n' then first_would_trip = note_would_trip(ask) end

-- Too late to refuse anything: what was taken is counted, too.
local late_trip, late_receipt
if taken and not dry and enforcing and over and not zero and not scope and meter ~= 'n' then
  late_trip = decided('TRIPPED', over) .. ' ' .. trip(ask)
  late_receipt = receipt_entry('TRIPPED', over, '-', '-')
end

local rings, buckets, has_edges = counted(ask)
if not dry then
  if #rings > 0 then redis.call('HSET', KEYS[2], unpack(rings)) end
  -- What was taken is never given back.
  local generation = taken and '-' or ask.generation
  keep_receipts(left, late_receipt or receipt_entry(answer, tightest, generation, buckets ~= '' and buckets or '-'))
  end_holds()
  if has_edges then tell_edges(ask) end
  if forwarded then
    local longest = tonumber(ARGV[5])
    for at, limit in ipairs(limits) do longest = at == 1 and limit.window or math.max(longest, limit.window) end
    for at = 6, #KEYS do
      redis.call('INCRBY', KEYS[at], recipients)
      redis.call('PEXPIRE', KEYS[at], longest)
    end
  end
end

return reply(late_trip or decided(answer, tightest) .. windows_text(ask, first_would_trip))
