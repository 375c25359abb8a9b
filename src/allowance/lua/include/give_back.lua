-- Takes a recipient out of the buckets that its receipt names, unless these have left their windows. rings: fields of the
-- usage that the caller must write afterwards.
--
-- The ring stays at its newest bucket: it need not move on for this, and the clock is not read.
--
-- @include allowance/ring
local function give_back(usage_key, rings, buckets)
  for field, text in string.gmatch(buckets, '(%w+):(%d+)') do
    local bucket = tonumber(text)
    local ring = rings[field] or redis.call('HGET', usage_key, field)
    if ring then
      local newest, total = read_ring(ring)
      if newest and bucket > newest - BUCKETS and count_in(ring, bucket) > 0 and total > 0 then
        rings[field] = adjusted(ring, newest, total, bucket, -1)
      end
    end
  end
end
