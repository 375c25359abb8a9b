-- Writes accepted domains as they were packed, over those of the same name. Their owners are claimed before.
--
-- KEYS[1] tenant   KEYS[2] domains
-- ARGV[1] random part of a token   then for each: ARGV[n] domain, ARGV[n + 1] packed value
-- Reply: none
--
-- @include store/clock
-- @include records/change
-- @include registry/changed_domains
local tenant_key, domains_key = KEYS[1], KEYS[2]
local changed = {}
for at = 2, #ARGV, 2 do
  redis.call('HSET', domains_key, ARGV[at], ARGV[at + 1])
  changed[ARGV[at]] = string.match(ARGV[at + 1], '^%S+') or '-'
end
if redis.call('HEXISTS', tenant_key, 'createdAt') == 1 then
  change_tenant(tenant_key, 'domains', ARGV[1], 'domains', changed_domains(tenant_key, changed, (#ARGV - 1) / 2))
end
