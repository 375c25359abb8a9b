-- Reads whether a tenant is restricted, and when it was last lifted; writes nothing.
--
-- KEYS[1] tenant   KEYS[2] restriction
-- Reply: { createdAt, the field lifted or '', domains token, state token, then field and value of each of the restriction's };
-- false: no such tenant
local tenant_key, restriction_key = KEYS[1], KEYS[2]
local created, lifted, domains, state = unpack(redis.call('HMGET', tenant_key, 'createdAt', 'lifted', 'domains', 'state'))
if not created then return false end
return { created, lifted or '', domains or '', state or '', unpack(redis.call('HGETALL', restriction_key)) }
