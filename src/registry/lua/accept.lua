-- Accepts the current content of Redis, by order of an operator: what Redis lost when it went back in time stays lost.
--
-- KEYS[1] epoch
-- Reply: time in µs of the acceptance
--
-- @include registry/acceptance
local epoch_key = KEYS[1]
local time = accept(epoch_key, false)
announce(epoch_key, { registry = redis.call('HGET', epoch_key, 'epoch') or '' })
return time
