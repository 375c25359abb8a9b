-- Reads a tenant as of one moment; writes nothing.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] restriction   KEYS[4] usage
-- ARGV[1] longest list of domains to send along   ARGV[2] 1: the usage, too
-- Reply: { fields and values of the tenant in turn, of its restriction, of its usage, of its domains, 1 if these are
-- to be read with HSCAN }
local domains, long = {}, 0
if redis.call('HLEN', KEYS[2]) > tonumber(ARGV[1]) then
  long = 1
else
  domains = redis.call('HGETALL', KEYS[2])
end
return {
  redis.call('HGETALL', KEYS[1]),
  redis.call('HGETALL', KEYS[3]),
  ARGV[2] == '1' and redis.call('HGETALL', KEYS[4]) or {},
  domains,
  long,
}
