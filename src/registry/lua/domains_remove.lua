-- Removes accepted domains of a tenant.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] audit trail
-- ARGV[1] random part of a token   ARGV[2] any, or owned (leaves shared ones)   ARGV[3] actor   ARGV[4…] domains
-- Reply: those that were there
--
-- @include store/clock
-- @include records/change
-- @include registry/changed_domains
-- @include records/audit
-- @include registry/domain_names
local tenant_key, domains_key, audit_key = KEYS[1], KEYS[2], KEYS[3]
local removed, seen, changed, words = {}, {}, {}, {}
for at = 4, #ARGV do
  local domain = ARGV[at]
  local entry = not seen[domain] and redis.call('HGET', domains_key, domain)
  seen[domain] = true
  if entry and (ARGV[2] == 'any' or not string.find(string.match(entry, '^%S+'), 'h', 1, true)) then
    removed[#removed + 1] = domain
    name_domain(words, domain_words(domain, string.match(entry, '^%S+')))
    changed[domain] = cjson.null
  end
end
if #removed > 0 then
  audit(audit_key, ARGV[3], tag_of(tenant_key), 'domains removed', domains_text(words), '')
end
-- All are read before the first is removed: an emptied list must not be touched again (see change).
for _, domain in ipairs(removed) do redis.call('HDEL', domains_key, domain) end
if #removed > 0 and redis.call('EXISTS', tenant_key) == 1 then
  change_tenant(tenant_key, 'domains', ARGV[1], 'domains', changed_domains(tenant_key, changed, #removed))
end
return removed
