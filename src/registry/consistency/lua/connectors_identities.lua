-- Repairs the table of identities, unless a connector has changed since the caller read it.
--
-- KEYS[1] identities   KEYS[2] token
-- ARGV[1] the token that the caller saw, or empty   then for each: ARGV[n] identity, ARGV[n + 1] holder, empty: none
-- Reply: 1; 0: a connector has changed, nothing written
local identities_key, token_key = KEYS[1], KEYS[2]
if (redis.call('GET', token_key) or '') ~= ARGV[1] then return 0 end
for at = 2, #ARGV, 2 do
  if ARGV[at + 1] == '' then
    redis.call('HDEL', identities_key, ARGV[at])
  else
    redis.call('HSET', identities_key, ARGV[at], ARGV[at + 1])
  end
end
return 1
