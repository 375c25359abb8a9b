-- Reads the meters of a tenant; writes nothing.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] restriction
-- ARGV[1] override (as mode_of takes it, or empty)   ARGV[2] mode of a tenant that has none of its own
-- ARGV[3 …] letter and limits of each meter that a tenant has without limits of its own
-- Reply: { server time in ms, the first would-be trip or '', the probation in effect or '', how many recipients are held,
--          the letters of the tenant's meters, a list of windows, a list of { letter of the meter, temporary limits in effect,
--          the usual ones }, a list of windows by these }; false: no such tenant. A window: { letter of the meter, window in
--          ms, limit, 1 if it defers, used, newest bucket, then bucket and count of every bucket that holds something }
--
-- @include store/clock
-- @include mail/meters
-- @include allowance/ring
-- @include allowance/limits
-- @include allowance/temporary
-- @include allowance/mode
-- @include allowance/probation
-- @include allowance/holds
local tenant_key, usage_key, restriction_key = KEYS[1], KEYS[2], KEYS[3]
local now = now_ms()
local meters, defaults = all_meters(), {}
for at = 3, #ARGV, 2 do defaults[ARGV[at]] = ARGV[at + 1] end
local fields = {}
for at, meter in ipairs(meters) do fields[at], fields[#meters + at] = meter.limits, meter.temporary end
local tenant = redis.call('HMGET', tenant_key, 'createdAt', 'probation', 'mode', unpack(fields))
if not tenant[1] then return false end

local probation = probation_at(tenant[2], now)
local restricted = mode_of(ARGV[1], tenant[3], ARGV[2], restriction_key) == 'enforce' and redis.call('EXISTS', restriction_key) == 1
local _, _, held = advance(redis.call('HGET', usage_key, HOLDS_FIELD), bucket_of(now, HOLDS_WINDOW))
local would_trip = redis.call('HGET', usage_key, 'wouldTrip')

local function read(rows, meter, limits)
  for _, limit in ipairs(limits) do
    local raw = redis.call('HGET', usage_key, meter.letter .. limit.window)
    local ring, newest, total = advance(raw, bucket_of(now, limit.window))
    local ahead = ahead_of(ring)
    local row = { meter.letter, limit.window, limit.count, limit.defer and 1 or 0, total, newest - ahead }
    if total > 0 then
      for bucket = newest - BUCKETS + 1, newest do
        local count = count_in(ring, bucket)
        if count > 0 then
          row[#row + 1] = bucket - ahead
          row[#row + 1] = count
        end
      end
    end
    rows[#rows + 1] = row
  end
end

local letters, rows, temporaries, later = '', {}, {}, {}

for at, meter in ipairs(meters) do
  local own = tenant[3 + at] or defaults[meter.letter]
  if own then
    local temporary = temporary_at(tenant[3 + #meters + at], now)
    letters = letters .. meter.letter
    read(rows, meter, limits_in_force(meter, temporary or own, probation, restricted))
    if temporary then
      temporaries[#temporaries + 1] = { meter.letter, tenant[3 + #meters + at], own }
      read(later, meter, limits_in_force(meter, own, probation, restricted))
    end
  end
end
return { now, would_trip or '', probation and tenant[2] or '', held, letters, rows, temporaries, later }
