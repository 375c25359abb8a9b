-- Empties the windows of a tenant, and ends the edges that are open in them.
--
-- @include records/change
-- @include records/event
-- @include mail/meters
-- @include allowance/edges
local function empty_windows(tenant_key, usage_key, random)
  for _, edge in ipairs(open_edges(redis.call('HGET', usage_key, 'warned'))) do end_edge(tenant_key, random, edge) end
  -- The new generation is written before the old usage is removed: an emptied hash must not be touched again (see change).
  redis.call('HSET', usage_key, 'generation', new_token(random))
  for _, field in ipairs(redis.call('HKEYS', usage_key)) do
    if field ~= 'generation' then redis.call('HDEL', usage_key, field) end
  end
end
