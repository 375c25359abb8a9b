-- Reads whether a tenant is restricted, and when it was last lifted; writes nothing.
--
-- KEYS[1] tenant   KEYS[2] restriction
-- Reply: { createdAt, the field lifted or '', then field and value of each of the restriction's }; false: no such tenant
local tenant_key, restriction_key = KEYS[1], KEYS[2]
local created, lifted = unpack(redis.call('HMGET', tenant_key, 'createdAt', 'lifted'))
if not created then return false end
return { created, lifted or '', unpack(redis.call('HGETALL', restriction_key)) }
