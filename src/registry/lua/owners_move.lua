-- Moves a claim to another tenant, and notes the tenant that it leaves until the move is finished.
--
-- KEYS[1] names   KEYS[2] index   KEYS[3] version   KEYS[4] moves under way
-- ARGV[1] domain   ARGV[2] the tenant that gets it
-- Reply: { 'moved', from, FLAGS } · { 'held', FLAGS } that tenant owns it · { 'unfinished', from, owner } an earlier
-- move must be finished first · { 'unowned' } · { 'refused', owner, name } two tenants would cover one name
--
-- @include registry/ownership
local names_key, index_key, version_key, moves_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local domain, to = ARGV[1], ARGV[2]
local flags, owner = claim_of(names_key, domain)
if not owner then return { 'unowned' } end

local leaving = redis.call('HGET', moves_key, domain)
if leaving then return { 'unfinished', leaving, owner } end
if owner == to then return { 'held', flags } end

local found = {}
look_above(names_key, found, domain, to)
if flags == 's' then look_below(names_key, index_key, found, domain, to, 1) end
if #found > 0 then return { 'refused', found[2], found[3] } end

write_claims(names_key, index_key, version_key, { domain }, { domain, flags .. ' ' .. to })
redis.call('HSET', moves_key, domain, owner)
return { 'moved', owner, flags }
