-- Reads the meters of a tenant; writes nothing.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] restriction
-- ARGV[1] limits and ARGV[2] null limits of a tenant that has none of its own
-- ARGV[3] override (a mode that wins over all, or empty)   ARGV[4] mode of a tenant that has none of its own
-- Reply: { server time in ms, the first would-be trip or '', the probation in effect or '', how many recipients are held,
--          1 if there is an allowance for forwards, { meter, window in ms, limit, 1 if it defers, used, newest bucket, then
--          bucket and count of every bucket that holds something } … }; false: no such tenant
--
-- @include store/clock
-- @include allowance/ring
-- @include allowance/limits
-- @include allowance/mode
-- @include allowance/probation
-- @include allowance/holds
local tenant_key, usage_key, restriction_key = KEYS[1], KEYS[2], KEYS[3]
local now = now_ms()
local tenant = redis.call('HMGET', tenant_key, 'createdAt', 'limits', 'nullLimits', 'probation', 'forwardedLimits', 'mode')
if not tenant[1] then return false end

local probation = probation_at(tenant[4], now)
local _, _, held = advance(redis.call('HGET', usage_key, HOLDS_FIELD), bucket_of(now, HOLDS_WINDOW))
local would_trip = redis.call('HGET', usage_key, 'wouldTrip')
local reply = { now, would_trip or '', probation and tenant[4] or '', held, tenant[5] and 1 or 0 }

local function read(meter, limits)
  for _, limit in ipairs(limits) do
    local raw = redis.call('HGET', usage_key, meter .. limit.window)
    local ring, newest, total = advance(raw, bucket_of(now, limit.window))
    local ahead = ahead_of(ring)
    local row = { meter, limit.window, limit.count, limit.defer and 1 or 0, total, newest - ahead }
    if total > 0 then
      for bucket = newest - BUCKETS + 1, newest do
        local count = count_in(ring, bucket)
        if count > 0 then
          row[#row + 1] = bucket - ahead
          row[#row + 1] = count
        end
      end
    end
    reply[#reply + 1] = row
  end
end

read('u', limits_in_force(tenant[2] or ARGV[1], probation))
if tenant[5] then read('f', parse_limits(tenant[5])) end
local restricted = mode_of(ARGV[3], tenant[6], ARGV[4]) == 'enforce' and redis.call('EXISTS', restriction_key) == 1
read('n', null_limits_in_force(tenant[3] or ARGV[2], restricted))
return reply
