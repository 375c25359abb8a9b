-- When an operator last accepted the content of Redis: what processes know from before, and Redis does not hold, is dropped.
-- Times in µs, as in tokens.
--
-- @include records/change

-- Returns its time. lifts: restrictions that are not in Redis are dropped too.
local function accept(epoch_key, lifts)
  local time = string.format('%.0f', now_us())
  redis.call('HSET', epoch_key, 'accepted', time)
  if lifts then redis.call('HSET', epoch_key, 'lifted', time) end
  return time
end
