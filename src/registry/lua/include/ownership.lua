-- Who owns a name, and which claims of other tenants are in the way of a claim.
--
-- @include records/change

-- contoso.com → com.contoso
local function reversed(domain)
  local labels = {}
  for label in string.gmatch(domain, '[^.]+') do table.insert(labels, 1, label) end
  return table.concat(labels, '.')
end

-- FLAGS and tenant of a claim; nil where the name has no owner.
local function claim_of(names_key, domain)
  local claim = redis.call('HGET', names_key, domain)
  if not claim then return nil end
  return string.match(claim, '^(%S+) (.+)$')
end

-- The version grows with every change, and is a time in µs, so that a process sees when Redis has gone back.
local function renew_version(version_key)
  local now = string.format('%.0f', now_us())
  if redis.call('INCR', version_key) < tonumber(now) then redis.call('SET', version_key, now) end
end

-- Announces, once a script, which names may have other owners than before. changed: all names that the script may write.
local announced = false
local function announce_owners(names_key, version_key, changed)
  if announced then return end
  announced = true
  renew_version(version_key)
  announce(names_key, { owners = true, names = changed, version = redis.call('GET', version_key) })
end

-- claims: at most some thousand names, each followed by its `FLAGS TENANT`.
local function write_claims(names_key, index_key, version_key, changed, claims)
  if #claims == 0 then return end
  local members = {}
  for at = 1, #claims, 2 do
    members[at] = 0
    members[at + 1] = reversed(claims[at])
  end
  redis.call('HSET', names_key, unpack(claims))
  redis.call('ZADD', index_key, unpack(members))
  announce_owners(names_key, version_key, changed)
end

local function drop_claims(names_key, index_key, version_key, changed, domains)
  if #domains == 0 then return end
  local members = {}
  for at, domain in ipairs(domains) do members[at] = reversed(domain) end
  announce_owners(names_key, version_key, changed)
  redis.call('HDEL', names_key, unpack(domains))
  redis.call('ZREM', index_key, unpack(members))
end

-- Obstacles are appended to `found`, three items each: the name that is claimed, the owner in its way, the owner's name.
local function add_obstacle(found, domain, owner, name)
  found[#found + 1] = domain
  found[#found + 1] = owner
  found[#found + 1] = name
end

-- Finds other tenants' claims with subdomains above the name.
local function look_above(names_key, found, domain, tenant)
  local dot = string.find(domain, '.', 1, true)
  while dot do
    local parent = string.sub(domain, dot + 1)
    local flags, owner = claim_of(names_key, parent)
    if flags == 's' and owner ~= tenant then add_obstacle(found, domain, owner, parent) end
    dot = string.find(domain, '.', dot + 1, true)
  end
end

-- Finds other tenants' claims below the name, `most` of them at most. In the index all names below com.contoso lie between
-- `com.contoso.` and `com.contoso/`, since `/` follows `.` in ASCII. Read in batches: Lua cannot unpack many.
local function look_below(names_key, index_key, found, domain, tenant, most)
  local from, to = '[' .. reversed(domain) .. '.', '(' .. reversed(domain) .. '/'
  while true do
    local below = redis.call('ZRANGEBYLEX', index_key, from, to, 'LIMIT', 0, 1000)
    for _, name in ipairs(below) do
      local child = reversed(name)
      local _, owner = claim_of(names_key, child)
      if owner and owner ~= tenant then
        add_obstacle(found, domain, owner, child)
        most = most - 1
        if most == 0 then return end
      end
    end
    if #below < 1000 then return end
    from = '(' .. below[#below]
  end
end

-- Finds all that keeps the tenant from claiming a name; returns the FLAGS of the claim that it has. surveyed: the caller has
-- seen that no other tenant owns a name below it, and no name has been claimed since.
local function look_around(names_key, index_key, found, domain, flags, tenant, most, surveyed)
  local held, owner = claim_of(names_key, domain)
  if owner and owner ~= tenant then
    add_obstacle(found, domain, owner, domain)
    return nil
  end
  -- What the tenant owns has nothing in its way, unless it is to cover more than before.
  if not owner then look_above(names_key, found, domain, tenant) end
  if flags == 's' and held ~= 's' and not surveyed then
    look_below(names_key, index_key, found, domain, tenant, most)
  end
  return held
end
