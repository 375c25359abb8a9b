-- When an operator last accepted the content of Redis: what processes know from before, and Redis does not hold, is dropped.
-- Times in µs, as in tokens.
--
-- @include records/change

-- lifts: restrictions that are not in Redis are dropped too.
local function accept(epoch_key, lifts)
  local time = string.format('%.0f', now_us())
  redis.call('HSET', epoch_key, 'accepted', time)
  if lifts then redis.call('HSET', epoch_key, 'lifted', time) end
end

-- The last acceptance, the last that dropped restrictions, and the last change of the index of tenants; '0': none.
local function marks_of(epoch_key)
  local times = redis.call('HMGET', epoch_key, 'accepted', 'lifted', 'changed')
  return { times[1] or '0', times[2] or '0', string.match(times[3] or '', '^%d+') or '0' }
end
