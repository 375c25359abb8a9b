-- Writes accepted domains of a tenant. Their owners have been claimed before.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] audit trail
-- ARGV[1] random part of a token   ARGV[2] by   ARGV[3] add (an entry with other flags refuses the whole call), set
-- (flags and by are replaced, the time is kept) or change (so are they where the flags differ; an entry that is not there
-- refuses the whole call)
-- ARGV[4] actor   then for each: ARGV[n] domain, ARGV[n + 1] FLAGS
-- Reply: for each in order: added, updated, same, or other (add) or gone (change), and then nothing was written; false: no
-- such tenant
--
-- @include store/clock
-- @include records/change
-- @include registry/changed_domains
-- @include records/audit
-- @include registry/domain_names
local tenant_key, domains_key, audit_key = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HEXISTS', tenant_key, 'createdAt') == 0 then return false end

local by = ARGV[2]
local names = {}
for at = 5, #ARGV, 2 do names[#names + 1] = ARGV[at] end
local there = redis.call('HMGET', domains_key, unpack(names))
local results, refused, has_changes = {}, false, false
for at, entry in ipairs(there) do
  local flags = ARGV[2 * at + 4]
  local result = 'added'
  if not entry and ARGV[3] == 'change' then
    result = 'gone'
    refused = true
  elseif entry then
    local had, _, had_by = string.match(entry, '^(%S+) (%S+) (.*)$')
    if had == flags and (had_by == by or ARGV[3] ~= 'set') then
      result = 'same'
    elseif ARGV[3] == 'add' then
      result = 'other'
      refused = true
    else
      result = 'updated'
    end
  end
  if result ~= 'same' then has_changes = true end
  results[at] = result
end
if refused or not has_changes then return results end

local now = string.format('%.0f', now_ms())
local changed, entries = {}, {}
local added, from, to = {}, {}, {}
for at, domain in ipairs(names) do
  local flags = ARGV[2 * at + 4]
  if results[at] ~= 'same' then
    local added_at = now
    if results[at] == 'updated' then
      local had, had_at, had_by = string.match(there[at], '^(%S+) (%S+) (.*)$')
      added_at = had_at
      name_domain(from, domain_words(domain, had) .. ' by ' .. had_by)
      name_domain(to, domain_words(domain, flags) .. ' by ' .. by)
    else
      name_domain(added, domain_words(domain, flags))
    end
    entries[#entries + 1] = domain
    entries[#entries + 1] = flags .. ' ' .. added_at .. ' ' .. by
    changed[domain] = flags
  end
end
redis.call('HSET', domains_key, unpack(entries))
local id = tag_of(tenant_key)
if added.count then audit(audit_key, ARGV[4], id, 'domains added', '', domains_text(added)) end
if to.count then audit(audit_key, ARGV[4], id, 'domains changed', domains_text(from), domains_text(to)) end
change_tenant(tenant_key, 'domains', ARGV[1], 'domains', changed_domains(tenant_key, changed, #entries / 2))
return results
