-- Removes accepted domains of a tenant.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] audit trail
-- ARGV[1] random part of a token   ARGV[2] any, or owned (leaves shared ones)   ARGV[3] actor   ARGV[4…] domains
-- Reply: those that were there
--
-- @include store/clock
-- @include records/change
-- @include registry/domain_news
-- @include records/audit
-- @include registry/domain_names
local removed, seen, news, words = {}, {}, {}, {}
for at = 4, #ARGV do
  local domain = ARGV[at]
  local entry = not seen[domain] and redis.call('HGET', KEYS[2], domain)
  seen[domain] = true
  if entry and (ARGV[2] == 'any' or not string.find(string.match(entry, '^%S+'), 'h', 1, true)) then
    removed[#removed + 1] = domain
    name_domain(words, domain_words(domain, string.match(entry, '^%S+')))
    news[domain] = cjson.null
  end
end
if #removed > 0 then
  audit(KEYS[3], ARGV[3], string.match(KEYS[1], '{(.-)}$'), 'domains removed', domains_text(words), '')
end
-- All read before the first goes: a list that is gone must not be touched again (see change).
for _, domain in ipairs(removed) do redis.call('HDEL', KEYS[2], domain) end
if #removed > 0 and redis.call('EXISTS', KEYS[1]) == 1 then
  change_tenant(KEYS[1], 'domains', ARGV[1], domain_news(KEYS[1], news, #removed))
end
return removed
