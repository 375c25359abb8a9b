-- Events. They wait in a field of the tenant's hash until a process puts them into the stream of all events, which is in
-- another slot of a Cluster. A field, since the hash exists: a key of its own could be one that has moved (see change).
--
-- @include store/clock
local MOST_EVENTS_TEXT = 65536
local events_raised = 0

local function event_id(seed)
  return 'evt_' .. string.sub(redis.sha1hex(seed), 1, 20)
end

-- Raises an event and returns its id. random: makes the id unique; facts: a table for cjson. An event that says that
-- another one has ended (facts.resolves) gets its id from that one, so that it is raised once at most. With facts.id and
-- facts.at an event is raised again that Redis has lost.
local function raise_event(tenant_key, random, kind, facts)
  events_raised = events_raised + 1
  if facts.id then
    -- As it was.
  elseif kind == 'resolved' then
    facts.id = event_id('resolved\t' .. facts.resolves)
  else
    local parts = { tenant_key, kind, string.format('%.0f', now_us()), random, events_raised }
    facts.id = event_id(table.concat(parts, '\t'))
  end
  facts.kind, facts.at = kind, facts.at or now_ms()
  local waiting = redis.call('HGET', tenant_key, 'events')
  if waiting and string.find(waiting, '"id":"' .. facts.id .. '"', 1, true) then return facts.id end
  -- Where no process fetches them, the tenant's hash must not grow for ever.
  if not waiting or #waiting < MOST_EVENTS_TEXT then
    local line = cjson.encode(facts)
    redis.call('HSET', tenant_key, 'events', waiting and waiting .. '\n' .. line or line)
  end
  return facts.id
end
