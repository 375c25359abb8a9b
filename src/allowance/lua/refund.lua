-- Refunds recipients of a transaction, each once, and ends holds. A recipient that was never charged, was charged before a
-- lift, or has left its window changes nothing. A charge that is still on its way finds its recipient refunded, and does
-- nothing.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] receipt   KEYS[4 …] counters of the signatures that have proven a forward
-- ARGV[1 …] ordinals of the recipients
-- Reply: number of recipients refunded
--
-- @include allowance/receipts
-- @include allowance/give_back
local tenant_key, usage_key, receipt_key = KEYS[1], KEYS[2], KEYS[3]
-- A receipt without a charge need only outlive a charge that is still on its way, whose not-after is a minute ahead at
-- most: a session that has every recipient refunded must not fill Redis for an hour.
local SETTLED_TTL = 300000

local generation = redis.call('HGET', usage_key, 'generation') or redis.call('HGET', tenant_key, 'createdAt')
local entries = redis.call('HMGET', receipt_key, unpack(ARGV))
local rings, refunded, forwarded = {}, 0, 0
-- The recipients of a message that has tripped will not be charged.
local tripped = redis.call('HEXISTS', receipt_key, TRIPPED_FIELD) == 1

for at, ordinal in ipairs(ARGV) do
  local entry = entries[at]
  local answer, charged_under, buckets
  if entry then answer, charged_under, buckets = string.match(entry, '^(%u+) %d+ %d+ %d+ (%S+) (%S+)$') end
  if answer == 'TRIPPED' then charged_under = nil end
  if charged_under and charged_under == generation then
    give_back(usage_key, rings, buckets)
    refunded = refunded + 1
  end
  if charged_under and answer == 'FORWARDED' then forwarded = forwarded + 1 end
  if charged_under or not (entry or tripped) then redis.call('HSET', receipt_key, ordinal, 'SETTLED 0 0 0') end
end

redis.call('PEXPIRE', receipt_key, redis.call('HLEN', receipt_key) > #ARGV and RECEIPT_TTL or SETTLED_TTL)
for field, ring in pairs(rings) do redis.call('HSET', usage_key, field, ring) end
if forwarded > 0 then
  -- A counter that has expired must not begin below 0.
  for at = 4, #KEYS do
    local proven = tonumber(redis.call('GET', KEYS[at]) or '')
    if proven then redis.call('DECRBY', KEYS[at], math.min(proven, forwarded)) end
  end
end
return refunded
