-- Notes which tenants have had unregistered mail, and forgets those that have had none for as long as reports are kept.
--
-- KEYS[1] index
-- ARGV[1] how long reports are kept, in ms   ARGV[2 …] server time in ms and tenant, one after the other
-- Reply: OK
--
-- @include store/clock
redis.call('ZADD', KEYS[1], 'GT', unpack(ARGV, 2))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now_ms() - ARGV[1]))
return redis.status_reply('OK')
