-- Claims names for a tenant: all of them, or none where another tenant is in the way of one. A name is in the way
-- where it is the same name, where it lies above and is claimed with subdomains, and where it lies below and ours is
-- claimed with subdomains. A claim that the tenant has already is only ever widened here.
--
-- KEYS[1] names   KEYS[2] index   KEYS[3] version
-- ARGV[1] claim, or check (writes nothing)   ARGV[2] tenant   ARGV[3] the version at which the caller began to look at
-- what lies below the names, or empty   then for each name: ARGV[n] domain, ARGV[n + 1] s or -
-- Reply: what is in the way, three items each: domain, owner, the owner's name. Empty: claimed.
--
-- @include registry/ownership
local tenant = ARGV[2]
local surveyed = ARGV[3] ~= '' and ARGV[3] == (redis.call('GET', KEYS[3]) or '0')
local found = {}
for at = 4, #ARGV, 2 do
  look_around(found, ARGV[at], ARGV[at + 1], tenant, 100, surveyed)
end
if #found > 0 or ARGV[1] ~= 'claim' then return found end

for at = 4, #ARGV, 2 do names[#names + 1] = ARGV[at] end
for at = 4, #ARGV, 2 do
  local flags = claim_of(ARGV[at])
  if flags ~= 's' and flags ~= ARGV[at + 1] then
    write_claim(ARGV[at], ARGV[at + 1], tenant)
  end
end
return found
