-- A ring that cannot be read (another program or a broken disk has written there) starts afresh, and an event says so, once.
-- How many recipients its window held is not known, so for as long as any of them may be in it, recipients are deferred:
-- a 451 lets nothing through, bounces no mail and restricts nobody. Until when stands in the usage, as
-- `<meter><window>:<ms>`, joined by commas; a lift ends it. Needs event, edges and ring.

-- Until when the window of a field is not known, in ms; 0: it is.
local function unreadable_until(text, field)
  return tonumber(string.match(',' .. text, ',' .. field .. ':(%d+)') or 0)
end

-- Starts the ring of a field of the usage afresh. `text`: what the usage holds of others. Returns what it holds then.
local function start_afresh(field, window, text, now, random)
  local ends = now + window
  local entries = { string.format('%s:%.0f', field, ends) }
  for other, time in string.gmatch(text, '(%w+):(%d+)') do
    if other ~= field and tonumber(time) > now then entries[#entries + 1] = other .. ':' .. time end
  end
  local unreadable = table.concat(entries, ',')
  redis.call('HSET', KEYS[2], field, EMPTY_RING, 'unreadable', unreadable)
  raise_event(KEYS[1], random, 'unreadable', {
    window = window, meter = METER_NAMES[string.sub(field, 1, 1)], ['until'] = ends,
  })
  return unreadable
end
