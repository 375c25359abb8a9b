-- Who owns a name, and what stands in the way of a claim. Scripts that include this have
-- KEYS[1] names   KEYS[2] index of the names with their labels reversed   KEYS[3] version

-- contoso.com → com.contoso
local function reversed(domain)
  local labels = {}
  for label in string.gmatch(domain, '[^.]+') do table.insert(labels, 1, label) end
  return table.concat(labels, '.')
end

-- FLAGS and tenant of a claim; nil where nobody owns the name.
local function claim_of(domain)
  local claim = redis.call('HGET', KEYS[1], domain)
  if not claim then return nil end
  return string.match(claim, '^(%S+) (.+)$')
end

-- The names that the script is about, where it may write.
local names = {}
local announced = false

-- Tells every process, once a script and before it could be cut short, which names may have other owners than before.
local function announce()
  if announced then return end
  announced = true
  local prefix = string.match(KEYS[1], '^(.*){.-}')
  redis.call('PUBLISH', prefix .. 'changes', cjson.encode({ owners = true, names = names }))
end

local function write_claim(domain, flags, tenant)
  redis.call('HSET', KEYS[1], domain, flags .. ' ' .. tenant)
  redis.call('ZADD', KEYS[2], 0, reversed(domain))
  redis.call('INCR', KEYS[3])
  announce()
end

local function drop_claim(domain)
  redis.call('HDEL', KEYS[1], domain)
  redis.call('ZREM', KEYS[2], reversed(domain))
  announce()
end

local function obstacle(found, domain, owner, name)
  found[#found + 1] = domain
  found[#found + 1] = owner
  found[#found + 1] = name
end

-- Another tenant's claim with subdomains above the name.
local function look_above(found, domain, tenant)
  local dot = string.find(domain, '.', 1, true)
  while dot do
    local parent = string.sub(domain, dot + 1)
    local flags, owner = claim_of(parent)
    if flags == 's' and owner ~= tenant then obstacle(found, domain, owner, parent) end
    dot = string.find(domain, '.', dot + 1, true)
  end
end

-- Other tenants' claims below the name, at most `most` of them. In the index all that lies below com.contoso stands
-- between `com.contoso.` and `com.contoso/`, since `/` follows `.` in ASCII. Read in pieces: Lua cannot unpack many.
local function look_below(found, domain, tenant, most)
  local from, to = '[' .. reversed(domain) .. '.', '(' .. reversed(domain) .. '/'
  while true do
    local below = redis.call('ZRANGEBYLEX', KEYS[2], from, to, 'LIMIT', 0, 1000)
    for _, name in ipairs(below) do
      local child = reversed(name)
      local _, owner = claim_of(child)
      if owner and owner ~= tenant then
        obstacle(found, domain, owner, child)
        most = most - 1
        if most == 0 then return end
      end
    end
    if #below < 1000 then return end
    from = '(' .. below[#below]
  end
end

-- All that keeps the tenant from claiming a name, appended to `found`: name, owner, the owner's name in the way.
-- surveyed: the caller has seen that nothing of others lies below, and nobody has claimed anything since.
local function look_around(found, domain, flags, tenant, most, surveyed)
  local held, owner = claim_of(domain)
  if owner and owner ~= tenant then return obstacle(found, domain, owner, domain) end
  -- What the tenant holds already has nothing in its way, unless it is to cover more than before.
  if not owner then look_above(found, domain, tenant) end
  if flags == 's' and held ~= 's' and not surveyed then look_below(found, domain, tenant, most) end
end
