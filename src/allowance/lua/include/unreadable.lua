-- A ring that cannot be read (another program or a broken disk has written it) is replaced by an empty one, and an event is
-- raised, once. How many recipients its window held is not known, so recipients are deferred until all of them would have
-- expired: a 451 lets nothing through, bounces no mail and restricts no tenant. Until when is kept in the usage, as
-- `<meter><window>:<ms>`, joined by commas; a lift ends it.
--
-- @include mail/meters
-- @include records/event
-- @include allowance/ring

-- Until when the window of a field is not known, in ms; 0: it is known.
local function unreadable_until(text, field)
  return tonumber(string.match(',' .. text, ',' .. field .. ':(%d+)') or 0)
end

-- Empties the ring of a field of the usage. text: the unreadable windows known so far. Returns those known then.
local function start_afresh(tenant_key, usage_key, random, field, window, text, now)
  local ends = now + window
  local entries = { string.format('%s:%.0f', field, ends) }
  for other, time in string.gmatch(text, '(%w+):(%d+)') do
    if other ~= field and tonumber(time) > now then entries[#entries + 1] = other .. ':' .. time end
  end
  local unreadable = table.concat(entries, ',')
  redis.call('HSET', usage_key, field, empty_ring(), 'unreadable', unreadable)
  raise_event(tenant_key, random, 'unreadable', {
    window = window, meter = meter_of(string.sub(field, 1, 1)).name, ['until'] = ends,
  })
  return unreadable
end
