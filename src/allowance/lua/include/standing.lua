-- What the scripts announce of a restriction and its lift, so that every process knows them in full. In one tenant the times of
-- restrictions and lifts never run backward, even if the clock is set back: a restriction is lifted if the tenant's field
-- `lifted` has a time that is not older than its own.
--
-- @include records/change
local function lifted_at(tenant_key)
  return tonumber(string.match(redis.call('HGET', tenant_key, 'lifted') or '', '^%d+') or '') or 0
end

-- The time of a new restriction.
local function restricted_since(tenant_key, now)
  return string.format('%.0f', math.max(now, lifted_at(tenant_key) + 1))
end

local function table_of(flat)
  local fields = {}
  for at = 1, #flat, 2 do fields[flat[at]] = flat[at + 1] end
  return fields
end

local function announce_restriction(tenant_key, restriction_key, random, put_back)
  change_tenant(tenant_key, 'state', random, 'restriction', {
    created = redis.call('HGET', tenant_key, 'createdAt') or '',
    restriction = table_of(redis.call('HGETALL', restriction_key)),
  }, put_back)
end

-- lift: a table of texts: at, by, reason, since and event of the restriction, id of the event of the lift, probation as the
-- tenant's hash has it, keepUsage.
local function announce_lift(tenant_key, random, lift, put_back)
  change_tenant(tenant_key, 'state', random, 'lift', {
    created = redis.call('HGET', tenant_key, 'createdAt') or '', lift = lift,
  }, put_back)
end
