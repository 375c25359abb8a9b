-- Ends the edges of a tenant's allowance whose window has fallen below the percentage, or that the usage no longer has.
-- Charges do the same, but none comes while the tenant sends nothing.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] restriction
-- ARGV[1] the open edges, as the usage holds them   ARGV[2] random part of ids
-- ARGV[3] override (as mode_of takes it, or empty)   ARGV[4] default mode
-- ARGV[5 …] letter and limits of each meter that a tenant has without limits of its own
-- Reply: number of edges ended; -1: there is no such tenant
--
-- @include store/clock
-- @include mail/meters
-- @include allowance/ring
-- @include allowance/limits
-- @include allowance/mode
-- @include allowance/edges
-- @include allowance/probation
local tenant_key, usage_key, restriction_key = KEYS[1], KEYS[2], KEYS[3]
local now = now_ms()
local meters, defaults = all_meters(), {}
for at = 5, #ARGV, 2 do defaults[ARGV[at]] = ARGV[at + 1] end
local fields = {}
for at, meter in ipairs(meters) do fields[at] = meter.limits end
local tenant = redis.call('HMGET', tenant_key, 'createdAt', 'probation', 'mode', unpack(fields))
if not tenant[1] then return -1 end

local restricted = mode_of(ARGV[3], tenant[3], ARGV[4], restriction_key) == 'enforce' and redis.call('EXISTS', restriction_key) == 1
local probation = probation_at(tenant[2], now)
local limits = {}
for at, meter in ipairs(meters) do
  local own = tenant[3 + at] or defaults[meter.letter] or ''
  for _, limit in ipairs(limits_in_force(meter, own, probation, restricted)) do
    limits[meter.letter .. limit.window] = limit
  end
end

local function holds(edge)
  local limit = limits[edge.field]
  if not limit then return false end
  local raw = redis.call('HGET', usage_key, edge.field)
  local ring, _, used, set_back, is_unreadable = advance(raw, bucket_of(now, limit.window))
  if set_back then redis.call('HSET', usage_key, edge.field, ring) end
  -- The next charge replaces it.
  if is_unreadable then return true end
  return limit.count > 0 and used * 100 >= limit.count * edge.percent
end

local ended, left, known = 0, {}, {}
local function ends(edge)
  end_edge(tenant_key, ARGV[2], edge)
  ended = ended + 1
end

local text = redis.call('HGET', usage_key, 'warned')
for _, edge in ipairs(open_edges(text)) do
  known[edge.event] = true
  if holds(edge) or not may_end(edge, now) then left[#left + 1] = edge else ends(edge) end
end
if text and ended > 0 then redis.call('HSET', usage_key, 'warned', edges_text(left)) end
for _, edge in ipairs(open_edges(ARGV[1])) do
  if not known[edge.event] then ends(edge) end
end
return ended
