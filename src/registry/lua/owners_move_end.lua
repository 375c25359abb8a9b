-- Ends a move: done, or back to the tenant that it left.
--
-- KEYS[1] names   KEYS[2] index   KEYS[3] version   KEYS[4] moves under way
-- ARGV[1] domain   ARGV[2] the tenant that it left   ARGV[3] the tenant that got it   ARGV[4] done or back
-- Reply: 1; 0: there is no such move
--
-- @include registry/ownership
local names_key, index_key, version_key, moves_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local domain, from, to, how = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('HGET', moves_key, domain) ~= from then return 0 end
local flags, owner = claim_of(names_key, domain)
if owner and owner ~= to then return 0 end

redis.call('HDEL', moves_key, domain)
if owner and how == 'back' then
  write_claims(names_key, index_key, version_key, { domain }, { domain, flags .. ' ' .. from })
end
return 1
