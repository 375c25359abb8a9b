-- Reconciles the claims on some names with what the tenant's own list says of them. They are not pending any more.
--
-- KEYS[1] names   KEYS[2] index   KEYS[3] version   KEYS[4] moves under way   KEYS[5] pending
-- ARGV[1] tenant   ARGV[2] which names: all; idle: not what another command is about to write; interrupted: only what an
-- interrupted command has left pending   ARGV[3] lease of the caller, or empty   ARGV[4] 1 if it ends with this call
-- then for each name: ARGV[n] domain, ARGV[n + 1] what the list says: s or - (owned), x (not owned)
-- Reply: names that another tenant's claim is in the way of, three items each: domain, owner, the owner's name.
--
-- @include registry/ownership
-- @include registry/pending
local names_key, index_key, version_key, moves_key, pending_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local tenant, which, own_lease, is_last = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
if own_lease ~= '' and not is_last then renew_lease(pending_key, own_lease) end

local found, names, claims, freed = {}, {}, {}, {}
-- Fields of what is pending that go.
local settled = is_last and old_leases(pending_key) or {}
for at = 5, #ARGV, 2 do names[#names + 1] = ARGV[at] end
local leases = leases_of(pending_key, names)
-- A name that is being moved is left to the move: its new owner has no entry yet, its old owner still has one.
local leaving = redis.call('HMGET', moves_key, unpack(names))
for at, domain in ipairs(names) do
  local wanted = ARGV[2 * at + 4]
  local is_pending, over = state_of(pending_key, leases[at], tenant)
  if which == 'all' or (which == 'idle' and not is_pending) or over then
    local flags, owner = claim_of(names_key, domain)
    if wanted == 'x' then
      if owner == tenant and not leaving[at] then freed[#freed + 1] = domain end
    elseif leaving[at] ~= tenant and (owner ~= tenant or flags ~= wanted) then
      local before = #found
      look_around(names_key, index_key, found, domain, wanted, tenant, 1, false)
      if #found == before then
        claims[#claims + 1] = domain
        claims[#claims + 1] = wanted .. ' ' .. tenant
      end
    end
    -- What another command has noted since is left to it: it may be interrupted, and then nothing else says what it left.
    if own_lease == '' or leases[at] == own_lease then
      if is_pending then settled[#settled + 1] = domain end
      if over then settled[#settled + 1] = '@' .. leases[at] end
    end
  end
end
write_claims(names_key, index_key, version_key, names, claims)
drop_claims(names_key, index_key, version_key, names, freed)
if own_lease ~= '' and is_last then settled[#settled + 1] = '@' .. own_lease end
if #settled > 0 then redis.call('HDEL', pending_key, unpack(settled)) end
return found
