-- Keeps an entry about a tenant in the trail of all tenants too, and notes that their index changes. The entry has been
-- published already.
--
-- KEYS[1] trail   KEYS[2] epoch
-- ARGV[1] line   ARGV[2] its subject   ARGV[3] random part of a token
-- Reply: none
--
-- @include records/audit
-- @include records/change
local trail_key, epoch_key = KEYS[1], KEYS[2]
keep_line(trail_key, (string.gsub(ARGV[1], '^(%d+\t)[^\t]*', '%1' .. ARGV[2], 1)))
-- Only beside an epoch: a hash without one would be a registry of its own.
if redis.call('HEXISTS', epoch_key, 'epoch') == 1 then
  redis.call('HSET', epoch_key, 'changed', new_token(ARGV[3], redis.call('HGET', epoch_key, 'changed')))
end
