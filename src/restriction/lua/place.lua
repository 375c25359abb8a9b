-- Places a restriction by hand.
--
-- KEYS[1] tenant   KEYS[2] restriction
-- ARGV[1] scope: unregistered or all   ARGV[2] by   ARGV[3] reason   ARGV[4] random part of a token
-- Reply: placed; widened (from unregistered to all); unchanged (that scope already); narrower (all already); gone
--
-- @include clock
-- @include change
-- @include event
-- @include case
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end

local scope = redis.call('HGET', KEYS[2], 'scope')
if scope == ARGV[1] then return 'unchanged' end
if scope == 'all' then return 'narrower' end

redis.call('HSET', KEYS[2], 'since', now_ms(), 'scope', ARGV[1], 'by', ARGV[2], 'reason', ARGV[3])
-- One that is widened goes on: the same case, and nothing new that a lift would have to end.
if not scope then
  local case = open_case(KEYS[1])
  local event = raise_event(KEYS[1], ARGV[4], 'restricted', { scope = ARGV[1], by = ARGV[2], reason = ARGV[3], case = case })
  redis.call('HSET', KEYS[2], 'case', case, 'event', event)
end
change_tenant(KEYS[1], 'state', ARGV[4])
return scope and 'widened' or 'placed'
