-- Ends a move: done, or back to the tenant that it left.
--
-- KEYS[1] names   KEYS[2] index   KEYS[3] version   KEYS[4] moves under way
-- ARGV[1] domain   ARGV[2] the tenant that it left   ARGV[3] the tenant that got it   ARGV[4] done or back
-- Reply: 1; 0: there is no such move (any more)
--
-- @include registry/ownership
if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[2] then return 0 end
local flags, owner = claim_of(ARGV[1])
if owner and owner ~= ARGV[3] then return 0 end

redis.call('HDEL', KEYS[4], ARGV[1])
names[1] = ARGV[1]
if owner and ARGV[4] == 'back' then write_claim(ARGV[1], flags, ARGV[2]) end
return 1
