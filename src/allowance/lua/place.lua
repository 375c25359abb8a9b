-- Places a restriction by hand.
--
-- KEYS[1] tenant   KEYS[2] restriction   KEYS[3] audit trail
-- ARGV[1] scope: unregistered or all   ARGV[2] by   ARGV[3] reason   ARGV[4] random part of a token   ARGV[5] actor
-- Reply: placed; widened (from unregistered to all); unchanged (that scope already); narrower (all already); gone
--
-- @include store/clock
-- @include records/change
-- @include records/event
-- @include records/case
-- @include records/audit
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end

local scope = redis.call('HGET', KEYS[2], 'scope')
if scope == ARGV[1] then return 'unchanged' end
if scope == 'all' then return 'narrower' end

redis.call('HSET', KEYS[2], 'since', now_ms(), 'scope', ARGV[1], 'by', ARGV[2], 'reason', ARGV[3])
-- One that is widened goes on: the same case, and nothing new that a lift would have to end.
local case = redis.call('HGET', KEYS[2], 'case')
if not scope then
  case = open_case(KEYS[1])
  local event = raise_event(KEYS[1], ARGV[4], 'restricted', { scope = ARGV[1], by = ARGV[2], reason = ARGV[3], case = case })
  redis.call('HSET', KEYS[2], 'case', case, 'event', event)
end
audit(KEYS[3], ARGV[5], case or string.match(KEYS[1], '{(.-)}$'), scope and 'restriction widened' or 'restriction placed',
  scope or '', ARGV[1] .. '; by ' .. ARGV[2] .. ': ' .. ARGV[3])
change_tenant(KEYS[1], 'state', ARGV[4])
return scope and 'widened' or 'placed'
