-- Writes accepted domains of a tenant. Their owners have been claimed before.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] audit trail
-- ARGV[1] random part of a token   ARGV[2] by   ARGV[3] add (an entry with other flags refuses the whole call) or set
-- (flags and by are replaced, the time is kept)   ARGV[4] actor   then for each: ARGV[n] domain, ARGV[n + 1] FLAGS
-- Reply: for each in order: added, updated, same or other (add only, and then nothing was written); false: no such
-- tenant
--
-- @include store/clock
-- @include records/change
-- @include registry/changed_domains
-- @include records/audit
-- @include registry/domain_names
local tenant_key, domains_key, audit_key = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HEXISTS', tenant_key, 'createdAt') == 0 then return false end

local by = ARGV[2]
local results, refused, has_changes = {}, false, false
for at = 5, #ARGV, 2 do
  local flags = ARGV[at + 1]
  local entry = redis.call('HGET', domains_key, ARGV[at])
  local result = 'added'
  if entry then
    local had, _, had_by = string.match(entry, '^(%S+) (%S+) (.*)$')
    if had == flags and (had_by == by or ARGV[3] == 'add') then
      result = 'same'
    elseif ARGV[3] == 'add' then
      result = 'other'
      refused = true
    else
      result = 'updated'
    end
  end
  if result ~= 'same' then has_changes = true end
  results[#results + 1] = result
end
if refused or not has_changes then return results end

local now = string.format('%.0f', now_ms())
local changed, count = {}, 0
local added, from, to = {}, {}, {}
for at = 5, #ARGV, 2 do
  local domain, flags = ARGV[at], ARGV[at + 1]
  local result = results[(at - 3) / 2]
  if result ~= 'same' then
    local added_at = now
    if result == 'updated' then
      local had, had_at, had_by = string.match(redis.call('HGET', domains_key, domain), '^(%S+) (%S+) (.*)$')
      added_at = had_at
      name_domain(from, domain_words(domain, had) .. ' by ' .. had_by)
      name_domain(to, domain_words(domain, flags) .. ' by ' .. by)
    else
      name_domain(added, domain_words(domain, flags))
    end
    redis.call('HSET', domains_key, domain, flags .. ' ' .. added_at .. ' ' .. by)
    changed[domain] = flags
    count = count + 1
  end
end
local id = tag_of(tenant_key)
if added.count then audit(audit_key, ARGV[4], id, 'domains added', '', domains_text(added)) end
if to.count then audit(audit_key, ARGV[4], id, 'domains changed', domains_text(from), domains_text(to)) end
change_tenant(tenant_key, 'domains', ARGV[1], 'domains', changed_domains(tenant_key, changed, count))
return results
