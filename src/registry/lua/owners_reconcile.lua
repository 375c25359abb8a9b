-- Reconciles the claims on some names with what the tenant's own list says of them.
--
-- KEYS[1] names   KEYS[2] index   KEYS[3] version   KEYS[4] moves under way
-- ARGV[1] tenant   then for each name: ARGV[n] domain, ARGV[n + 1] what the list says: s or - (owned), x (not owned)
-- Reply: names that another tenant's claim is in the way of, three items each: domain, owner, the owner's name.
--
-- @include registry/ownership
local names_key, index_key, version_key, moves_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local tenant = ARGV[1]
local found, names = {}, {}
for at = 2, #ARGV, 2 do names[#names + 1] = ARGV[at] end
for at = 2, #ARGV, 2 do
  local domain, wanted = ARGV[at], ARGV[at + 1]
  local flags, owner = claim_of(names_key, domain)
  -- A name that is being moved is left to the move: its new owner has no entry yet, its old owner still has one.
  local leaving = redis.call('HGET', moves_key, domain)
  if wanted == 'x' then
    if owner == tenant and not leaving then drop_claim(names_key, index_key, version_key, names, domain) end
  elseif leaving ~= tenant and (owner ~= tenant or flags ~= wanted) then
    local before = #found
    look_around(names_key, index_key, found, domain, wanted, tenant, 1, false)
    if #found == before then
      write_claim(names_key, index_key, version_key, names, domain, wanted, tenant)
    end
  end
end
return found
