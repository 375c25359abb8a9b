-- Events wait in a field of the tenant's hash until a process has put them into the stream of all, which is in another
-- slot of a Cluster. A field, since the hash is there: a key of its own could be one that has moved (see change). Needs
-- clock.
local MOST_EVENTS_TEXT = 65536
local events_raised = 0

-- Raises an event, and returns its id. facts: a table for cjson; random: what makes the id another than all others.
local function raise_event(tenant_key, random, kind, facts)
  events_raised = events_raised + 1
  local seed = table.concat({ tenant_key, kind, string.format('%.0f', now_us()), random, events_raised }, '\t')
  facts.id = 'evt_' .. string.sub(redis.sha1hex(seed), 1, 20)
  facts.kind, facts.at = kind, now_ms()
  local waiting = redis.call('HGET', tenant_key, 'events')
  -- Where nobody fetches them, the tenant's hash must not grow for ever.
  if not waiting or #waiting < MOST_EVENTS_TEXT then
    local line = cjson.encode(facts)
    redis.call('HSET', tenant_key, 'events', waiting and waiting .. '\n' .. line or line)
  end
  return facts.id
end
