-- Receipts: the state of each recipient of a transaction, by its ordinal, so that no recipient is counted or refunded twice.
-- They live for an hour, in ms; as text, since Redis prints a number anew for each command.
local RECEIPT_TTL = '3600000'
-- The receipt of a message that has tripped, whatever the number of its recipients.
local TRIPPED_FIELD = 'tripped'
-- Lua unpacks 8000 values at most.
local BATCH = 1000

-- Where a window stands, as replies and receipts say it.
local function counts_of(limit)
  return string.format(' %d %d %.0f', limit.used, limit.count, limit.window)
end

-- A receipt: the answer and its counts, the generation of the usage, and the buckets that hold the recipient, each as
-- field:bucket.
local function receipt_entry(answer, counts, generation, buckets)
  return answer .. counts .. ' ' .. generation .. ' ' .. buckets
end

-- The receipts of recipients, in their order; false: there is none.
local function receipts_of(receipt_key, ordinals)
  local receipts = {}
  for first = 1, #ordinals, BATCH do
    local last = math.min(first + BATCH - 1, #ordinals)
    for at, receipt in ipairs(redis.call('HMGET', receipt_key, unpack(ordinals, first, last))) do
      receipts[first + at - 1] = receipt
    end
  end
  return receipts
end

-- Keeps the same receipt for each of the recipients.
local function keep_receipts(receipt_key, ordinals, entry)
  for first = 1, #ordinals, BATCH do
    local fields = {}
    for at = first, math.min(first + BATCH - 1, #ordinals) do
      fields[#fields + 1] = ordinals[at]
      fields[#fields + 1] = entry
    end
    redis.call('HSET', receipt_key, unpack(fields))
  end
  redis.call('PEXPIRE', receipt_key, RECEIPT_TTL)
end
