-- Charges a recipient in every window of a meter, or several at once; or charges nothing and says why. A tenant that would
-- go past a limit of `unregistered` is restricted in this same call; while it is restricted, the null sender has a tenth
-- of its limits. Of a tenant that has an allowance for forwards, a recipient of
-- unregistered mail is only held: settle.lua charges it when the message is there.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] restriction   KEYS[4] receipt   KEYS[5] domains, where names are given
-- ARGV[1] ordinal of the recipient in its transaction; `3-22`: those of several, which are charged all or none
-- ARGV[2] not-after: server time in ms past which nothing is done any more; `dry`: only say what would happen
-- ARGV[3] the domains token that the caller knows
-- ARGV[4] meter (u: unregistered, n: null), override (a mode that wins over all, or empty), mode and limits of a tenant
--         that has none of its own, the percentages of a limit that are told, and whether proven forwards of a
--         restricted tenant are accepted (a) or refused (r), joined by tabs
-- ARGV[5] domain, connector and address for the trigger, joined by tabs
-- ARGV[6 …] the sender domain and its parents, where the answer before was STALE
--
-- Few and short arguments, and one text for a reply: each costs the caller more than it costs Redis.
-- Reply: `answer time used limit window`: server time in ms, and the window in ms that decided or has the least left.
-- CHARGED     counted; in monitor `used` may exceed `limit`. Then follow 1 if this is the first would-be trip, else 0,
--             and of every window used, limit, window, and the percentage that this recipient has reached in it, or 0;
--             none of these where it was counted before
-- HELD        held until the message is there
-- BUSY        not held: too many are
-- TRIPPED     not counted, and the tenant has been restricted in this call; the case follows
-- RESTRICTED  not counted; the scope stands in place of `used`, and the case, if it has one, behind it
-- ZERO        not counted: a limit of 0
-- DEFER       not counted: a limit with `defer` is reached, or what its window held cannot be read
-- FULL        not counted: the allowance of the null sender is reached, or cannot be read
-- REGISTERED  not counted: the sender domain is an accepted domain by now
-- STALE       nothing done: the list of accepted domains is another than the caller's
-- EXPIRED     nothing done: past not-after, or settled already, or its message has tripped
-- OFF         nothing done: the tenant's mode is off
-- GONE        nothing done: there is no such tenant
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
local now = now_ms()
local dry = ARGV[2] == 'dry'
local ordinal, last = string.match(ARGV[1], '^(%d+)-?(%d*)$')
local ordinals = { ordinal }
if last ~= '' then
  for each = ordinal + 1, last do ordinals[#ordinals + 1] = each end
end
local recipients = #ordinals
local meter, override, default_mode, default_limits, percents, when_restricted =
  string.match(ARGV[4], '^(.)\t(.-)\t(.-)\t(.-)\t(.-)\t(.*)$')

local function answer_only(answer)
  return string.format('%s %.0f', answer, now)
end

local receipt, tripped = unpack(redis.call('HMGET', KEYS[4], ordinal, TRIPPED_FIELD))
if receipt then
  local answer, counts = string.match(receipt, '^(%u+) (%d+ %d+ %d+)')
  if answer == 'SETTLED' then return answer_only('EXPIRED') end
  local case = answer == 'TRIPPED' and redis.call('HGET', KEYS[3], 'case')
  return string.format('%s %.0f %s %s', answer, now, counts, case or '')
end

-- Some may have been given back before their charge came.
if recipients > 1 then
  for _, each in ipairs(receipts_of(ordinals)) do tripped = tripped or each end
end
if not dry and (tripped or now > tonumber(ARGV[2])) then return answer_only('EXPIRED') end

local tenant = redis.call('HMGET', KEYS[1], 'createdAt', 'domains', meter == 'u' and 'limits' or 'nullLimits', 'mode',
  'probation', 'forwardedLimits')
if not tenant[1] then return answer_only('GONE') end

local mode = mode_of(override, tenant[4], default_mode)
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

local holds = meter == 'u' and tenant[6]
if scope and meter == 'u' and not (holds and when_restricted == 'a') then return restricted() end

local function reply(answer, limit)
  return answer_only(answer) .. counts_of(limit)
end

local function keep_receipt(answer, limit, generation, buckets)
  keep_receipts(ordinals, receipt_entry(answer, limit, generation, buckets))
end

if holds then
  local usage = redis.call('HMGET', KEYS[2], 'generation', HOLDS_FIELD)
  local ring, newest, held, set_back, is_unreadable = advance(usage[2], bucket_of(now, HOLDS_WINDOW))
  -- It guards the memory and no allowance: nothing needs to wait until it is known again.
  if is_unreadable and not dry then raise_event(KEYS[1], KEYS[4], 'unreadable', { window = HOLDS_WINDOW, meter = 'held' }) end
  if set_back and not dry then redis.call('HSET', KEYS[2], HOLDS_FIELD, ring) end
  local limit = { used = held, count = MOST_HOLDS, window = HOLDS_WINDOW }
  -- More than all that may be held come alone, or they would never come.
  if enforcing and held + recipients > math.max(MOST_HOLDS, recipients) then return reply('BUSY', limit) end
  limit.used = held + recipients
  if not dry then
    redis.call('HSET', KEYS[2], HOLDS_FIELD, adjusted(ring, newest, held, newest, recipients))
    keep_receipt('HELD', limit, usage[1] or tenant[1], string.format('%s:%.0f', HOLDS_FIELD, newest))
  end
  return reply('HELD', limit)
end

local probation = meter == 'u' and tenant[5] and probation_at(tenant[5], now)
local own_limits = tenant[3] or default_limits
local limits = meter == 'n' and null_limits_in_force(own_limits, scope) or limits_in_force(own_limits, probation)
if #limits == 0 then return answer_only('CHARGED') end

local ask = {
  meter = meter, limits = limits,
  created = tenant[1], recipients = recipients, now = now, percents = percents, facts = ARGV[5], ordinal = ordinal,
  probation = probation, dry = dry, by = 'an address that stands for %d recipients',
}
read_windows(ask)
local zero, over, deferring = ask.zero, ask.over, ask.deferring

if enforcing and (zero or over or deferring) then
  if meter == 'n' then return reply('FULL', zero or over or deferring) end
  if zero then return reply('ZERO', zero) end
  if not over then return reply('DEFER', deferring) end
  if dry then return reply('TRIPPED', over) end
  local case = trip(ask)
  keep_receipt('TRIPPED', over, ask.generation, '-')
  return reply('TRIPPED', over) .. ' ' .. case
end

local first_would_trip = 0
if not dry and meter == 'u' and over then first_would_trip = note_would_trip(ask) end

local rings, buckets, has_edges = counted(ask)
if not dry then
  redis.call('HSET', KEYS[2], unpack(rings))
  keep_receipt('CHARGED', ask.tightest, ask.generation, buckets)
  if has_edges then tell_edges(ask) end
end

return reply('CHARGED', ask.tightest) .. windows_text(ask, first_would_trip)
