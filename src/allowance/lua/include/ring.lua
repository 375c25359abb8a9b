-- Sliding windows. A window of W ms is a ring of 61 buckets of ceil(W / 60) ms with a running total: a charge counts for W
-- at least and for one bucket more at most (with 60 buckets it would count for 59/60 of W only).
-- Packed as: newest bucket (double), total, then the 61 counts (unsigned 32 bits, little endian). Where the clock has been
-- set back by more than the window, how many buckets the ring is ahead of it follows (double).
--
-- The time of a ring never runs backward, so a receipt names a bucket by a number that no other bucket ever has. When the
-- clock is set back by less than the window, the ring waits for it. When it is set back by more, after a jump ahead, the
-- ring goes on from where it is at the pace of the clock: its counts expire one window later, and not only when the clock
-- gets there again.
local BUCKETS = 61
local HEAD = '<dI4'
local COUNTS_AT = 13
local AHEAD = '<d'
local AHEAD_AT = COUNTS_AT + 4 * BUCKETS

-- Made only where it is needed: a charge seldom needs one, and making it costs as much as counting in a ring.
local function empty_ring()
  return struct.pack(HEAD, 0, 0) .. string.rep('\0', 4 * BUCKETS)
end

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

-- How many buckets the ring is ahead of the clock.
local function ahead_of(ring)
  if #ring < AHEAD_AT then return 0 end
  return (struct.unpack(AHEAD, ring, AHEAD_AT))
end

local function is_bucket(number)
  return number >= 0 and number < 2 ^ 53 and number % 1 == 0
end

-- The newest bucket and the total of a ring, and how many buckets it is ahead of the clock; nothing where a cheap check shows
-- that it is no ring.
local function read_ring(text)
  local octets = #text
  if octets ~= AHEAD_AT - 1 and octets ~= AHEAD_AT + 7 then return end
  local newest, total = struct.unpack(HEAD, text)
  local ahead = ahead_of(text)
  if is_bucket(newest) and is_bucket(ahead) then return newest, total, ahead end
end

-- Whether the total of a ring is the sum of its buckets.
local function adds_up(ring, total)
  local sum = 0
  for slot = 0, BUCKETS - 1 do sum = sum + count_in(ring, slot) end
  return sum == total
end

-- Moves the ring on to `bucket` of the clock. Returns the ring without the counts that have left the window, its newest
-- bucket, its total, whether the clock has been set back by more than the window, and whether the ring could not be read
-- (an empty one is returned then). Where the clock has been set back, a script that writes must keep the ring even if it
-- counts nothing: only then does the ring go on.
local function advance(ring, bucket)
  if not ring then return empty_ring(), bucket, 0 end
  local newest, total, ahead = read_ring(ring)
  if not newest then return empty_ring(), bucket, 0, false, true end
  if bucket + ahead <= newest - BUCKETS then
    -- One bucket less: a part of the present bucket has passed, and no count may expire early for that.
    ahead = newest - bucket - 1
    return string.sub(ring, 1, AHEAD_AT - 1) .. struct.pack(AHEAD, ahead), newest, total, true
  end
  bucket = bucket + ahead
  if bucket <= newest then return ring, newest, total end
  if total == 0 or bucket - newest >= BUCKETS then
    return empty_ring() .. string.sub(ring, AHEAD_AT), bucket, 0
  end
  for passed = newest + 1, bucket do
    local count = count_in(ring, passed)
    if count > total then return empty_ring(), bucket, 0, false, true end
    if count > 0 then
      total = total - count
      ring = with_count(ring, passed, 0)
    end
  end
  return ring, bucket, total
end

-- The ring with `change` recipients added to `bucket`. In one step: Lua hashes every octet of each string on the way.
local function adjusted(ring, newest, total, bucket, change)
  local at = slot_at(bucket)
  return struct.pack(HEAD, newest, total + change) .. string.sub(ring, COUNTS_AT, at - 1)
    .. struct.pack('<I4', count_in(ring, bucket) + change) .. string.sub(ring, at + 4)
end
