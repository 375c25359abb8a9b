-- Places a restriction by hand.
--
-- KEYS[1] tenant   KEYS[2] restriction
-- ARGV[1] scope: unregistered or all   ARGV[2] by   ARGV[3] reason   ARGV[4] random part of a token
-- Reply: placed; widened (from unregistered to all); unchanged (that scope already); narrower (all already); gone
--
-- @include clock
-- @include change
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end

local scope = redis.call('HGET', KEYS[2], 'scope')
if scope == ARGV[1] then return 'unchanged' end
if scope == 'all' then return 'narrower' end

redis.call('HSET', KEYS[2], 'since', now_ms(), 'scope', ARGV[1], 'by', ARGV[2], 'reason', ARGV[3])
change_tenant(KEYS[1], 'state', ARGV[4])
return scope and 'widened' or 'placed'
