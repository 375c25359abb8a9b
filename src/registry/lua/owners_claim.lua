-- Claims names for a tenant: all of them, or none where another tenant's claim is in the way of one: a claim of the same
-- name, of a name above with subdomains, or of a name below where subdomains are claimed. A claim that the tenant has is
-- widened, never narrowed. Names that are not claimed as wanted are pending until they are reconciled with the tenant's list.
--
-- KEYS[1] names   KEYS[2] index   KEYS[3] version   KEYS[4] pending
-- ARGV[1] claim, or check (writes nothing)   ARGV[2] tenant   ARGV[3] lease; empty: nothing is pending
-- ARGV[4] the version at which the caller began to look at what lies below the names, or empty
-- then for each name: ARGV[n] domain, ARGV[n + 1] s or -
-- Reply: claims in the way, three items each: domain, owner, the owner's name. Empty: claimed.
--
-- @include registry/ownership
-- @include registry/pending
local names_key, index_key, version_key, pending_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local tenant, lease = ARGV[2], ARGV[3]
local surveyed = ARGV[4] ~= '' and ARGV[4] == (redis.call('GET', version_key) or '0')
local found, names, had = {}, {}, {}
for at = 5, #ARGV, 2 do
  local domain, flags = ARGV[at], ARGV[at + 1]
  names[#names + 1] = domain
  had[#names] = look_around(names_key, index_key, found, domain, flags, tenant, 100, surveyed) or ''
end
if #found > 0 or ARGV[1] ~= 'claim' then return found end

local claims, leases = {}, {}
local earlier = lease ~= '' and leases_of(pending_key, names)
for at, domain in ipairs(names) do
  local flags = ARGV[2 * at + 4]
  if had[at] ~= flags and had[at] ~= 's' then
    claims[#claims + 1] = domain
    claims[#claims + 1] = flags .. ' ' .. tenant
  end
  if earlier and (had[at] ~= flags or earlier[at]) then
    leases[#leases + 1] = domain
    leases[#leases + 1] = lease
  end
end
if #leases > 0 then
  renew_lease(pending_key, lease)
  redis.call('HSET', pending_key, unpack(leases))
end
write_claims(names_key, index_key, version_key, names, claims)
return found
