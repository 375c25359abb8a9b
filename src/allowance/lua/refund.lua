-- Gives recipients of a transaction back, each once, and ends holds. What was never charged, was charged before a lift, or
-- has left its window changes nothing. A charge that is still on its way finds its recipient settled, and does nothing.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] receipt   KEYS[4 …] counters of the signatures that have proven a forward
-- ARGV[1 …] ordinals of the recipients
-- Reply: number of recipients given back
--
-- @include allowance/ring
-- @include allowance/give_back
local RECEIPT_TTL = 3600000
local TRIPPED_FIELD = 'tripped'
-- Where all that is in it is settled, it need only outlive a charge that is still on its way, whose not-after is a minute
-- ahead at most: a session that has every recipient given back must not fill Redis for an hour.
local SETTLED_TTL = 300000

local generation = redis.call('HGET', KEYS[2], 'generation') or redis.call('HGET', KEYS[1], 'createdAt')
local entries = redis.call('HMGET', KEYS[3], unpack(ARGV))
local rings, refunded, forwarded = {}, 0, 0
-- Of a message that has tripped it says of all recipients that nothing is to be done any more.
local tripped = redis.call('HEXISTS', KEYS[3], TRIPPED_FIELD) == 1

for at, ordinal in ipairs(ARGV) do
  local entry = entries[at]
  local answer, charged_under, buckets
  if entry then answer, charged_under, buckets = string.match(entry, '^(%u+) %d+ %d+ %d+ (%S+) (%S+)$') end
  if answer == 'TRIPPED' then charged_under = nil end
  if charged_under and charged_under == generation then
    give_back(KEYS[2], rings, buckets)
    refunded = refunded + 1
  end
  if charged_under and answer == 'FORWARDED' then forwarded = forwarded + 1 end
  if charged_under or not (entry or tripped) then redis.call('HSET', KEYS[3], ordinal, 'SETTLED 0 0 0') end
end

redis.call('PEXPIRE', KEYS[3], redis.call('HLEN', KEYS[3]) > #ARGV and RECEIPT_TTL or SETTLED_TTL)
for field, ring in pairs(rings) do redis.call('HSET', KEYS[2], field, ring) end
if forwarded > 0 then
  -- A counter that has expired counts for nothing, and must not begin below 0.
  for at = 4, #KEYS do
    local proven = tonumber(redis.call('GET', KEYS[at]) or '')
    if proven then redis.call('DECRBY', KEYS[at], math.min(proven, forwarded)) end
  end
end
return refunded
