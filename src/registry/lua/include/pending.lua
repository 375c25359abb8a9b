-- Names whose entry in a tenant's list is being written or removed, in a key beside the claims: name → the lease of the
-- command that does it, `TENANT RANDOM`. A lease lasts until the time (ms) in the field `@LEASE`; without one it is over.
-- A claim whose lease is over, and whose entry is not there, was left by an interrupted command and yields to others.
--
-- @include store/clock

-- How long a command may take from one of its steps to the next.
local LEASE_MS = 60000
-- Fields among which old leases are looked for: more are there only while much is pending.
local FEW = 1000

local function renew_lease(pending_key, lease)
  redis.call('HSET', pending_key, '@' .. lease, string.format('%.0f', now_ms() + LEASE_MS))
end

-- The fields of leases that are over: no name needs them.
local function old_leases(pending_key)
  local fields = {}
  if redis.call('HLEN', pending_key) > FEW then return fields end
  local all, now = redis.call('HGETALL', pending_key), now_ms()
  for at = 1, #all, 2 do
    if string.sub(all[at], 1, 1) == '@' and tonumber(all[at + 1]) <= now then fields[#fields + 1] = all[at] end
  end
  return fields
end

-- The leases on some names, in order; false: none.
local function leases_of(pending_key, names)
  return redis.call('HMGET', pending_key, unpack(names))
end

-- Whether a lease is one of the tenant, and whether it is over.
local is_over = {}
local function state_of(pending_key, lease, tenant)
  if not lease or string.match(lease, '^%S+') ~= tenant then return false, false end
  if is_over[lease] == nil then
    is_over[lease] = tonumber(redis.call('HGET', pending_key, '@' .. lease) or 0) <= now_ms()
  end
  return true, is_over[lease]
end
