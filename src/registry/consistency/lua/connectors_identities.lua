-- Mends the table of identities, as long as no connector has changed since the caller looked.
--
-- KEYS[1] identities   KEYS[2] token
-- ARGV[1] the token that the caller saw, or empty   then for each: ARGV[n] identity, ARGV[n + 1] holder, empty: nobody
-- Reply: 1; 0: a connector has changed, nothing written
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
for at = 2, #ARGV, 2 do
  if ARGV[at + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[at])
  else
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  end
end
return 1
