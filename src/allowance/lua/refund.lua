-- Gives recipients of a transaction back, each once. What was never charged, was charged before a lift, or has left
-- its window changes nothing. A charge that is still on its way finds its recipient settled, and does nothing.
--
-- KEYS[1] tenant   KEYS[2] usage   KEYS[3] receipt
-- ARGV[1 …] ordinals of the recipients
-- Reply: number of recipients given back
--
-- @include ring
local RECEIPT_TTL = 3600000
-- Where all that is in it is settled, it need only outlive a charge that is still on its way, whose not-after is a minute
-- ahead at most: a session that has every recipient given back must not fill Redis for an hour.
local SETTLED_TTL = 300000

local generation = redis.call('HGET', KEYS[2], 'generation') or redis.call('HGET', KEYS[1], 'createdAt')
local entries = redis.call('HMGET', KEYS[3], unpack(ARGV))
local rings, refunded = {}, 0

-- The ring stays at its newest bucket: it need not move on for that, and must not where the clock runs backward.
local function give_back(field, bucket)
  local ring = rings[field] or redis.call('HGET', KEYS[2], field)
  if not ring then return end
  local newest, total = struct.unpack(HEAD, ring)
  if bucket > newest - BUCKETS and count_in(ring, bucket) > 0 then
    rings[field] = adjusted(ring, newest, total, bucket, -1)
  end
end

for at, ordinal in ipairs(ARGV) do
  local entry = entries[at]
  local charged_under, buckets
  if entry then charged_under, buckets = string.match(entry, '^CHARGED %d+ %d+ %d+ (%S+) (%S+)$') end
  if charged_under and charged_under == generation then
    for field, bucket in string.gmatch(buckets, '(%w+):(%d+)') do give_back(field, tonumber(bucket)) end
    refunded = refunded + 1
  end
  if charged_under or not entry then redis.call('HSET', KEYS[3], ordinal, 'SETTLED 0 0 0') end
end

redis.call('PEXPIRE', KEYS[3], redis.call('HLEN', KEYS[3]) > #ARGV and RECEIPT_TTL or SETTLED_TTL)
for field, ring in pairs(rings) do redis.call('HSET', KEYS[2], field, ring) end
return refunded
