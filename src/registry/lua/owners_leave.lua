-- Notes that a tenant is about to give up names: as soon as their entries are gone, its claims yield to others.
--
-- KEYS[1] names   KEYS[2] pending
-- ARGV[1] tenant   ARGV[2] lease; one that has never begun is over   then names
-- Reply: how many of them it owns
--
-- @include registry/ownership
local names_key, pending_key = KEYS[1], KEYS[2]
local leases = {}
for at = 3, #ARGV do
  local _, owner = claim_of(names_key, ARGV[at])
  if owner == ARGV[1] then
    leases[#leases + 1] = ARGV[at]
    leases[#leases + 1] = ARGV[2]
  end
end
if #leases > 0 then redis.call('HSET', pending_key, unpack(leases)) end
return #leases / 2
