-- Edges of an allowance: a window has reached a percentage of its limit. An event is raised once, and the next one not
-- before the window has fallen below the percentage. Open edges are kept in the usage, as
-- `<meter><window>:<percent>:<event>:<when it was raised, in ms>`, joined by commas.
--
-- @include mail/meters
-- @include records/event

-- An edge stays open for at least this time, in ms, or for its window where that is shorter: else a client that has recipients
-- refunded and charged anew could raise it any number of times, and push the alerts of others out of the stream.
local LEAST_OPEN_MS = 900000

local function open_edges(text)
  local edges = {}
  for field, percent, event, raised in string.gmatch(text or '', '(%w+):(%d+):([%w_]+):?(%d*)') do
    edges[#edges + 1] = { field = field, percent = tonumber(percent), event = event, raised = tonumber(raised) or 0 }
  end
  return edges
end

local function edges_text(edges)
  local parts = {}
  for at, edge in ipairs(edges) do
    parts[at] = string.format('%s:%d:%s:%.0f', edge.field, edge.percent, edge.event, edge.raised)
  end
  return table.concat(parts, ',')
end

local function window_of(edge)
  return tonumber(string.sub(edge.field, 2))
end

-- An edge raised far ahead of now was raised before the clock was set back.
local function may_end(edge, now)
  return math.abs(now - edge.raised) >= math.min(LEAST_OPEN_MS, window_of(edge))
end

-- The highest of the percentages, as `50,80,95`, that `used` of `count` has reached; 0: none.
local function level_of(percents, used, count)
  local level = 0
  if count == 0 then return level end
  for text in string.gmatch(percents, '%d+') do
    local percent = tonumber(text)
    if used * 100 < count * percent then break end
    level = percent
  end
  return level
end

-- Raises the event that the edge has ended.
local function end_edge(tenant_key, random, edge)
  local meter = meter_of(string.sub(edge.field, 1, 1))
  raise_event(tenant_key, random, 'resolved', {
    resolves = edge.event, of = 'allowance', percent = edge.percent, window = window_of(edge),
    meter = meter and meter.name,
  })
end
