-- Events wait in a field of the tenant's hash until a process has put them into the stream of all, which is in another
-- slot of a Cluster. A field, since the hash is there: a key of its own could be one that has moved (see change). Needs
-- clock.
local MOST_EVENTS_TEXT = 65536
local events_raised = 0

local function event_id(seed)
  return 'evt_' .. string.sub(redis.sha1hex(seed), 1, 20)
end

-- Raises an event, and returns its id. facts: a table for cjson; random: what makes the id another than all others. An
-- event that says what another one has ended (resolves) has an id made of that one's, so that it is told once at most.
local function raise_event(tenant_key, random, kind, facts)
  events_raised = events_raised + 1
  if kind == 'resolved' then
    facts.id = event_id('resolved\t' .. facts.resolves)
  else
    facts.id = event_id(table.concat({ tenant_key, kind, string.format('%.0f', now_us()), random, events_raised }, '\t'))
  end
  facts.kind, facts.at = kind, now_ms()
  local waiting = redis.call('HGET', tenant_key, 'events')
  if waiting and string.find(waiting, '"id":"' .. facts.id .. '"', 1, true) then return facts.id end
  -- Where nobody fetches them, the tenant's hash must not grow for ever.
  if not waiting or #waiting < MOST_EVENTS_TEXT then
    local line = cjson.encode(facts)
    redis.call('HSET', tenant_key, 'events', waiting and waiting .. '\n' .. line or line)
  end
  return facts.id
end
