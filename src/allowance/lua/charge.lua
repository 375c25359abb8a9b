-- Charges a recipient in every window of a meter, or several at once; or charges nothing and says why. A tenant that would
-- exceed a limit of a meter that restricts is restricted in the same call. Where the tenant has an allowance for forwards, a
-- recipient of mail that may be one is only held: charge_message.lua charges it when the message is there.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] restriction   KEYS[4] receipt   KEYS[5] domains, where names are given
-- ARGV[1] ordinal of the recipient in its transaction; `3-22`: those of several, which are charged all or none
-- ARGV[2] not-after: server time in ms after which nothing is done; `dry`: only say what would happen
-- ARGV[3] the domains token that the caller knows
-- ARGV[4] letter of the meter, override (as mode_of takes it, or empty), default mode and limits, the
--         percentages of a limit that are edges, and whether proven forwards of a restricted tenant are accepted (a) or
--         refused (r), or no forward is looked for (o), joined by tabs
-- ARGV[5] domain, connector and address for the trigger, joined by tabs
-- ARGV[6 …] the sender domain and its parents, where the answer before was STALE
--
-- Few and short arguments, and one text for a reply: each costs the caller more than it costs Redis.
-- Reply: `answer time used limit window`: server time in ms, and the window in ms that decided or has the least left.
-- CHARGED     counted; in monitor `used` may exceed `limit`. Where this is the first would-be trip, or a window has reached
--             an edge, follow 1 for a first would-be trip, else 0, and of each such window used, limit, window and
--             percentage; never where it was counted before
-- HELD        held until the message is there
-- BUSY        not held: too many are
-- TRIPPED     not counted, and the tenant has been restricted in this call; the case follows
-- RESTRICTED  not counted; the scope in place of `used`, then the case, if there is one
-- ZERO        not counted: a limit of 0
-- DEFER       not counted: a limit with `defer` is reached, or what its window held cannot be read
-- FULL        not counted: the allowance of a meter that does not restrict is reached, or cannot be read
-- REGISTERED  not counted: the sender domain is an accepted domain by now
-- STALE       nothing done: the caller knows an old list of accepted domains
-- EXPIRED     nothing done: past not-after, or refunded already, or its message has tripped
-- OFF         nothing done: the tenant's mode is off
-- GONE        nothing done: there is no such tenant
--
-- @include store/clock
-- @include mail/meters
-- @include records/event
-- @include allowance/ring
-- @include allowance/limits
-- @include allowance/temporary
-- @include allowance/mode
-- @include allowance/probation
-- @include allowance/accepted
-- @include allowance/receipts
-- @include allowance/holds
-- @include allowance/counting
local tenant_key, usage_key, restriction_key, receipt_key, domains_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local now = now_ms()
local dry = ARGV[2] == 'dry'
local ordinal, last = string.match(ARGV[1], '^(%d+)-?(%d*)$')
local ordinals = { ordinal }
if last ~= '' then
  for each = ordinal + 1, last do ordinals[#ordinals + 1] = each end
end
local recipients = #ordinals
local letter, override, default_mode, default_limits, percents, forwards =
  string.match(ARGV[4], '^(.)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$')

local function answer_only(answer)
  return string.format('%s %.0f', answer, now)
end

local known = redis.call('HMGET', receipt_key, ordinal, TRIPPED_FIELD)
local receipt, tripped = known[1], known[2]
if receipt then
  local answer, counts = string.match(receipt, '^(%u+) (%d+ %d+ %d+)')
  if answer == 'SETTLED' then return answer_only('EXPIRED') end
  local case = answer == 'TRIPPED' and redis.call('HGET', restriction_key, 'case')
  return string.format('%s %.0f %s %s', answer, now, counts, case or '')
end

-- Some may have been refunded before their charge came.
if recipients > 1 then
  for _, each in ipairs(receipts_of(receipt_key, ordinals)) do tripped = tripped or each end
end
if not dry and (tripped or now > tonumber(ARGV[2])) then return answer_only('EXPIRED') end

local meter = meter_of(letter)
local tenant = redis.call('HMGET', tenant_key, 'createdAt', 'domains', meter.limits, 'mode', 'probation', meter.held_with or '',
  meter.temporary)
if not tenant[1] then return answer_only('GONE') end

local mode = mode_of(override, tenant[4], default_mode, restriction_key)
if mode == 'off' then return answer_only('OFF') end

local stale = meter.by_domain and tenant[2] ~= ARGV[3]
if stale and #ARGV < 6 then return answer_only('STALE') end

local enforcing = mode == 'enforce'
local scope = enforcing and redis.call('HGET', restriction_key, 'scope')

local function restricted()
  local case = redis.call('HGET', restriction_key, 'case')
  return string.format('%s %s %s', answer_only('RESTRICTED'), scope, case or '')
end

-- It stops registered mail too.
if scope == 'all' then return restricted() end

if stale and is_accepted(domains_key, { unpack(ARGV, 6) }) then return answer_only('REGISTERED') end

-- The caller would not charge at the end of DATA what is held with o.
local holds = meter.held_with and tenant[6] and forwards ~= 'o'
if scope and meter.stopped and not (holds and forwards == 'a') then return restricted() end

local function reply(answer, limit)
  return answer_only(answer) .. counts_of(limit)
end

local function keep_receipt(answer, counts, generation, buckets)
  keep_receipts(receipt_key, ordinals, receipt_entry(answer, counts, generation, buckets))
end

if holds then
  local usage = redis.call('HMGET', usage_key, 'generation', HOLDS_FIELD)
  local ring, newest, held, set_back, is_unreadable = advance(usage[2], bucket_of(now, HOLDS_WINDOW))
  -- Holds guard memory and no allowance: recipients need not wait until their number is known again.
  if is_unreadable and not dry then
    raise_event(tenant_key, receipt_key, 'unreadable', { window = HOLDS_WINDOW, meter = 'held' })
  end
  if set_back and not dry then redis.call('HSET', usage_key, HOLDS_FIELD, ring) end
  local limit = { used = held, count = MOST_HOLDS, window = HOLDS_WINDOW }
  -- More recipients at once than may be held are held when no others are, or they would never be.
  if enforcing and held + recipients > math.max(MOST_HOLDS, recipients) then return reply('BUSY', limit) end
  limit.used = held + recipients
  if not dry then
    redis.call('HSET', usage_key, HOLDS_FIELD, adjusted(ring, newest, held, newest, recipients))
    keep_receipt('HELD', counts_of(limit), usage[1] or tenant[1], string.format('%s:%.0f', HOLDS_FIELD, newest))
  end
  return reply('HELD', limit)
end

local probation = meter.on_probation and tenant[5] and probation_at(tenant[5], now)
local temporary = tenant[7] and temporary_at(tenant[7], now)
local limits = limits_in_force(meter, temporary or tenant[3] or default_limits, probation, scope)
if #limits == 0 then return answer_only('CHARGED') end

local request = {
  meter = meter, limits = limits,
  created = tenant[1], recipients = recipients, now = now, percents = percents, facts = ARGV[5], ordinal = ordinal,
  probation = probation, dry = dry, by = 'an address that stands for %d recipients',
}
read_windows(tenant_key, usage_key, receipt_key, request)
local zero, over, deferring = request.zero, request.over, request.deferring

if enforcing and (zero or over or deferring) then
  if not meter.restricts then return reply('FULL', zero or over or deferring) end
  if zero then return reply('ZERO', zero) end
  if not over then return reply('DEFER', deferring) end
  if dry then return reply('TRIPPED', over) end
  local case = trip(tenant_key, restriction_key, receipt_key, request)
  keep_receipt('TRIPPED', counts_of(over), request.generation, '-')
  return reply('TRIPPED', over) .. ' ' .. case
end

local first_would_trip = 0
if not dry and meter.restricts and over then first_would_trip = note_would_trip(usage_key, request) end

local rings, buckets, has_edges = counted(request)
local counts = counts_of(request.tightest)
if not dry then
  redis.call('HSET', usage_key, unpack(rings))
  keep_receipt('CHARGED', counts, request.generation, buckets)
  if has_edges then raise_edges(tenant_key, usage_key, receipt_key, request) end
end

return answer_only('CHARGED') .. counts .. news_of(request, first_would_trip)
