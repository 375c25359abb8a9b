-- Reads a tenant as of one moment; writes nothing.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] restriction   KEYS[4] usage
-- ARGV[1] longest list of domains to send along   ARGV[2] 1: the usage, too
-- Reply: { fields and values of the tenant in turn, of its restriction, of its usage, of its domains, 1 if these are
-- to be read with HSCAN }
local tenant_key, domains_key, restriction_key, usage_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local domains, long = {}, 0
if redis.call('HLEN', domains_key) > tonumber(ARGV[1]) then
  long = 1
else
  domains = redis.call('HGETALL', domains_key)
end
return {
  redis.call('HGETALL', tenant_key),
  redis.call('HGETALL', restriction_key),
  ARGV[2] == '1' and redis.call('HGETALL', usage_key) or {},
  domains,
  long,
}
