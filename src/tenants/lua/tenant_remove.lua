-- Removes a tenant with its accepted domains and its usage, unless it is restricted: a restriction outlives everything
-- but a person.
--
-- KEYS[1] tenant   KEYS[2] domains   KEYS[3] usage   KEYS[4] restriction
-- ARGV[1] random part of a token
-- Reply: removed, restricted, or gone: there was no such tenant
--
-- @include clock
-- @include change
if redis.call('EXISTS', KEYS[4]) == 1 then return 'restricted' end
local there = redis.call('EXISTS', KEYS[1]) == 1
-- Told before it is gone: the announcement writes the token into the tenant's hash.
if there then change_tenant(KEYS[1], 'state', ARGV[1]) end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
return there and 'removed' or 'gone'
