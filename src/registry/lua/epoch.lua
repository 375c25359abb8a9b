-- Reads the epoch of the registry, or gives the registry one.
--
-- KEYS[1] epoch   KEYS[2] index of tenants
-- ARGV[1] look; begin: an epoch where there is none, and our minor schema where it has a lower one; confirm: this epoch
--         in place of any other, by order of an operator. Where the schema has a higher major than ours: look
-- ARGV[2] the epoch, and ARGV[3] major and ARGV[4] minor schema of the caller   ARGV[5] a tenant, or empty
-- ARGV[6] with confirm: 1 if restrictions that are not in Redis are lifted
-- Reply: { server time in ms, epoch or '', schema, createdAt, origin, how many tenants, 1 if the tenant is among them,
--          time in µs of the last acceptance, of the last that lifted restrictions, of the last change of the index }
--
-- @include registry/acceptance
local epoch_key, tenants_key = KEYS[1], KEYS[2]
local function read_epoch(epoch_key)
  return redis.call('HMGET', epoch_key, 'epoch', 'schema', 'createdAt', 'origin', 'accepted', 'lifted', 'changed')
end

local now = now_ms()
local how, epoch, major, minor = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local there = read_epoch(epoch_key)
local its_major, its_minor = string.match(there[2] or '', '^(%d+)%.(%d+)$')
its_major, its_minor = tonumber(its_major or 1), tonumber(its_minor or 0)
local older = its_major < major
local newer = its_major > major

if how ~= 'look' and not newer then
  local schema = string.format('%d.%d', major, minor)
  if how == 'confirm' or not there[1] then
    local origin = how == 'confirm' and 'operator' or 'automatic'
    redis.call('HSET', epoch_key, 'epoch', epoch, 'schema', schema, 'createdAt', string.format('%.0f', now), 'origin', origin)
    if how == 'confirm' then accept(epoch_key, ARGV[6] == '1') end
    announce(epoch_key, { registry = epoch })
  elseif older or (its_major == major and its_minor < minor) then
    redis.call('HSET', epoch_key, 'schema', schema)
  end
  there = read_epoch(epoch_key)
end

return {
  now, there[1] or '', there[2] or '', there[3] or '', there[4] or '',
  redis.call('SCARD', tenants_key), ARGV[5] ~= '' and redis.call('SISMEMBER', tenants_key, ARGV[5]) or 0,
  there[5] or '0', there[6] or '0', string.match(there[7] or '', '^%d+') or '0',
}
