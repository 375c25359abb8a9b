-- Adds tenants with unregistered mail to the index, and removes those that had none for as long as reports are kept.
--
-- KEYS[1] index
-- ARGV[1] how long reports are kept, in ms   ARGV[2 …] server time in ms and tenant, one after the other
-- Reply: OK
--
-- @include store/clock
local index_key = KEYS[1]
redis.call('ZADD', index_key, 'GT', unpack(ARGV, 2))
redis.call('ZREMRANGEBYSCORE', index_key, '-inf', string.format('(%.0f', now_ms() - ARGV[1]))
return redis.status_reply('OK')
