-- Reads what a process caches of a tenant, as of one moment; writes nothing.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] restriction
-- ARGV[1] the domains token that the caller knows, or empty   ARGV[2] longest list to send along
-- ARGV[3 …] fields with the tenant's settings
-- Reply: { domains token, state token, createdAt, lifted or '', 1 if events wait, fields and values of the restriction,
--          values of the settings or '', the domains }; false: no such tenant. The domains are 'same' (the caller's token is
--          still valid), 'long' (to be read with HSCAN), or names and packed values in turn.
local tenant_key, domains_key, restriction_key = KEYS[1], KEYS[2], KEYS[3]
local tenant = redis.call('HMGET', tenant_key, 'domains', 'state', 'createdAt', 'lifted', 'events', unpack(ARGV, 3))
if not tenant[3] then return false end

local settings = {}
for at = 3, #ARGV do settings[at - 2] = tenant[at + 3] or '' end
local domains
if tenant[1] == ARGV[1] then
  domains = 'same'
elseif redis.call('HLEN', domains_key) > tonumber(ARGV[2]) then
  domains = 'long'
else
  domains = redis.call('HGETALL', domains_key)
end
return {
  tenant[1] or '', tenant[2] or '', tenant[3], tenant[4] or '', tenant[5] and tenant[5] ~= '' and 1 or 0,
  redis.call('HGETALL', restriction_key), settings, domains,
}
