-- Claims names for a tenant: all of them, or none where another tenant's claim is in the way of one: a claim of the same
-- name, of a name above with subdomains, or of a name below where subdomains are claimed. A claim that the tenant has is
-- widened, never narrowed.
--
-- KEYS[1] names   KEYS[2] index   KEYS[3] version
-- ARGV[1] claim, or check (writes nothing)   ARGV[2] tenant   ARGV[3] the version at which the caller began to look at
-- what lies below the names, or empty   then for each name: ARGV[n] domain, ARGV[n + 1] s or -
-- Reply: claims in the way, three items each: domain, owner, the owner's name. Empty: claimed.
--
-- @include registry/ownership
local names_key, index_key, version_key = KEYS[1], KEYS[2], KEYS[3]
local tenant = ARGV[2]
local surveyed = ARGV[3] ~= '' and ARGV[3] == (redis.call('GET', version_key) or '0')
local found = {}
for at = 4, #ARGV, 2 do
  look_around(names_key, index_key, found, ARGV[at], ARGV[at + 1], tenant, 100, surveyed)
end
if #found > 0 or ARGV[1] ~= 'claim' then return found end

local names = {}
for at = 4, #ARGV, 2 do names[#names + 1] = ARGV[at] end
for at = 4, #ARGV, 2 do
  local flags = claim_of(names_key, ARGV[at])
  if flags ~= 's' and flags ~= ARGV[at + 1] then
    write_claim(names_key, index_key, version_key, names, ARGV[at], ARGV[at + 1], tenant)
  end
end
return found
