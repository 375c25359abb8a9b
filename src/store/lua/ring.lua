-- Sliding windows. A window of W ms is a ring of 61 buckets of ceil(W / 60) ms with a running total: a charge is
-- held for W at least and for one bucket more at most (60 buckets would hold it for 59/60 of W only).
-- Packed as: newest bucket (double), total, then the 61 counts (unsigned 32 bits, little endian).
local BUCKETS = 61
local HEAD = '<dI4'
local COUNTS_AT = 13
local EMPTY_RING = struct.pack(HEAD, 0, 0) .. string.rep('\0', 4 * BUCKETS)

local function bucket_of(now, window)
  return math.floor(now / math.ceil(window / 60))
end

local function slot_at(bucket)
  return COUNTS_AT + 4 * (bucket % BUCKETS)
end

local function count_in(ring, bucket)
  return (struct.unpack('<I4', ring, slot_at(bucket)))
end

local function with_count(ring, bucket, count)
  local at = slot_at(bucket)
  return string.sub(ring, 1, at - 1) .. struct.pack('<I4', count) .. string.sub(ring, at + 4)
end

-- The ring moved on to `bucket`, with what has left the window dropped; its newest bucket; its total.
-- Time never runs backward: behind the newest bucket, the newest bucket counts.
local function advance(ring, bucket)
  if not ring then return EMPTY_RING, bucket, 0 end
  local newest, total = struct.unpack(HEAD, ring)
  if bucket <= newest then return ring, newest, total end
  if total == 0 or bucket - newest >= BUCKETS then return EMPTY_RING, bucket, 0 end
  for passed = newest + 1, bucket do
    local count = count_in(ring, passed)
    if count > 0 then
      total = total - count
      ring = with_count(ring, passed, 0)
    end
  end
  return ring, bucket, total
end

-- The ring with `change` recipients added to `bucket`.
local function adjusted(ring, newest, total, bucket, change)
  local body = with_count(ring, bucket, count_in(ring, bucket) + change)
  return struct.pack(HEAD, newest, total + change) .. string.sub(body, COUNTS_AT)
end
