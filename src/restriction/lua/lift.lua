-- Lifts a restriction, and starts the windows afresh: without that the next message trips again.
--
-- KEYS[1] tenant   KEYS[2] restriction   KEYS[3] usage
-- ARGV[1] by   ARGV[2] reason   ARGV[3] 1: keep the usage   ARGV[4] random part of a token
-- Reply: lifted; unchanged (not restricted, and in monitor no would-be trip to clear); gone
--
-- @include clock
-- @include change
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end

local restricted = redis.call('EXISTS', KEYS[2]) == 1
local would_trip = redis.call('HEXISTS', KEYS[3], 'wouldTrip') == 1
if not restricted and not would_trip then return 'unchanged' end

if ARGV[3] ~= '1' then
  -- The new generation before the old usage goes: a key that is gone must not be touched again (see change).
  redis.call('HSET', KEYS[3], 'generation', new_token(ARGV[4]))
  for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
    if field ~= 'generation' then redis.call('HDEL', KEYS[3], field) end
  end
elseif would_trip then
  redis.call('HDEL', KEYS[3], 'wouldTrip')
end
if restricted then redis.call('DEL', KEYS[2]) end
redis.call('HSET', KEYS[1], 'lifted', string.format('%.0f\t%s\t%s', now_ms(), ARGV[1], ARGV[2]))
change_tenant(KEYS[1], 'state', ARGV[4])
return 'lifted'
