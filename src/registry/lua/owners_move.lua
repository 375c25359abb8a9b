-- Hands a claim over to another tenant, and notes whom it leaves until the move is finished.
--
-- KEYS[1] names   KEYS[2] index   KEYS[3] version   KEYS[4] moves under way
-- ARGV[1] domain   ARGV[2] the tenant that gets it
-- Reply: { 'moved', from, FLAGS } · { 'held', FLAGS } it is that tenant's already · { 'unfinished', from, owner } an
-- earlier move must be finished first · { 'unowned' } · { 'refused', owner, name } two tenants would cover one name
--
-- @include registry/ownership
local domain, to = ARGV[1], ARGV[2]
local flags, owner = claim_of(domain)
if not owner then return { 'unowned' } end

local leaving = redis.call('HGET', KEYS[4], domain)
if leaving then return { 'unfinished', leaving, owner } end
if owner == to then return { 'held', flags } end

local found = {}
look_above(found, domain, to)
if flags == 's' then look_below(found, domain, to, 1) end
if #found > 0 then return { 'refused', found[2], found[3] } end

names[1] = domain
write_claim(domain, flags, to)
redis.call('HSET', KEYS[4], domain, owner)
return { 'moved', owner, flags }
