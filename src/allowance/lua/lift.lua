-- Lifts a restriction, and empties the windows: else the next message would trip again.
--
-- KEYS[1] tenant   KEYS[2] restriction   KEYS[3] usage   KEYS[4] audit trail
-- ARGV[1] by   ARGV[2] reason   ARGV[3] 1: keep the usage   ARGV[4] random part of a token
-- ARGV[5] limits that hold from then on, for the time in ms of ARGV[6]; empty: none   ARGV[7] actor
-- ARGV[8] the case to lift, empty where the caller saw no restriction; or any
-- Reply: lifted; ended (not restricted, and the probation has been ended); unchanged (neither, in monitor no would-be trip
-- to clear, and no usage that could not be read); other (restricted by another case: nothing done); gone
--
-- @include store/clock
-- @include store/key
-- @include records/change
-- @include records/event
-- @include allowance/probation
-- @include allowance/standing
-- @include allowance/windows
-- @include records/audit
local tenant_key, restriction_key, usage_key, audit_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('EXISTS', tenant_key) == 0 then return 'gone' end

local function length_text(ms)
  for _, unit in ipairs({ { 'd', 86400000 }, { 'h', 3600000 }, { 'm', 60000 } }) do
    if ms % unit[2] == 0 then return string.format('%.0f%s', ms / unit[2], unit[1]) end
  end
  return string.format('%.0fs', ms / 1000)
end

local by, reason = ARGV[1], ARGV[2]
local restriction = redis.call('HMGET', restriction_key, 'scope', 'case', 'event', 'since')
local restricted = restriction[1]
if restricted and ARGV[8] ~= 'any' and (restriction[2] or '') ~= ARGV[8] then return 'other' end
local would_trip = redis.call('HEXISTS', usage_key, 'wouldTrip') == 1
local unreadable = redis.call('HEXISTS', usage_key, 'unreadable') == 1
local on_probation = probation_at(redis.call('HGET', tenant_key, 'probation'), now_ms())
-- A caller who gives a probation, or names a case that was lifted meanwhile, does not mean to end a probation.
local ends_probation = restricted or (ARGV[5] == '' and (ARGV[8] == 'any' or ARGV[8] == ''))
if not (restricted or would_trip or unreadable or (on_probation and ends_probation)) then return 'unchanged' end

-- Not before the restriction: that would be no lift of it.
local lifted = math.max(now_ms(), tonumber(restriction[4] or '') or 0, lifted_at(tenant_key))
local probation
if restricted and ARGV[5] ~= '' then
  local ends = now_ms() + tonumber(ARGV[6])
  probation = { limits = ARGV[5], ['until'] = ends }
  redis.call('HSET', tenant_key, 'probation', string.format('%.0f\t%s\t%s', ends, ARGV[5], restriction[2] or ''))
end
local event
if restricted then
  event = raise_event(tenant_key, ARGV[4], 'lifted', {
    by = by, reason = reason, case = restriction[2] or '', resolves = restriction[3] or '', probation = probation,
  })
end
local had = {}
if restricted then had[#had + 1] = restricted end
if would_trip then had[#had + 1] = 'would-be trip' end
if unreadable then had[#had + 1] = 'deferral: usage could not be read' end
if on_probation and ends_probation then had[#had + 1] = 'probation: ' .. on_probation end
local now_has = probation and string.format('probation: %s for %s; ', ARGV[5], length_text(tonumber(ARGV[6]))) or ''
audit(audit_key, ARGV[7], restriction[2] or tag_of(tenant_key),
  restricted and 'restriction lifted' or would_trip and 'would-be trip cleared' or unreadable and 'deferral ended'
    or 'probation ended',
  table.concat(had, '; '),
  string.format('%s%sby %s: %s', now_has, ARGV[3] == '1' and 'usage kept; ' or '', by, reason))
if ARGV[3] ~= '1' then
  empty_windows(tenant_key, usage_key, ARGV[4])
elseif would_trip or unreadable then
  redis.call('HDEL', usage_key, 'wouldTrip', 'unreadable')
end
if restricted then redis.call('DEL', restriction_key) end
if ends_probation and not probation then redis.call('HDEL', tenant_key, 'probation') end
redis.call('HSET', tenant_key, 'lifted', string.format('%.0f\t%s\t%s', lifted, by, reason))
if restricted then
  announce_lift(tenant_key, ARGV[4], {
    at = string.format('%.0f', lifted), by = by, reason = reason, since = restriction[4] or '0', event = restriction[3] or '',
    case = restriction[2] or '', id = event, keepUsage = ARGV[3],
    probation = probation and redis.call('HGET', tenant_key, 'probation') or '',
  })
else
  change_tenant(tenant_key, 'state', ARGV[4], 'settings', { settings = {} })
end
return (restricted or would_trip or unreadable) and 'lifted' or 'ended'
