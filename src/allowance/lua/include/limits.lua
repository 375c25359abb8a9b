-- Reads an allowance in its canonical text: `300/1h, 1500/1d defer`; `unlimited` gives an empty list.
local UNIT_MS = { s = 1000, m = 60000, h = 3600000, d = 86400000 }

local function parse_limits(text)
  local limits = {}
  for count, length, unit, rest in string.gmatch(text, '(%d+)/(%d+)([smhd])([^,]*)') do
    limits[#limits + 1] = {
      text = count .. '/' .. length .. unit,
      count = tonumber(count),
      window = length * UNIT_MS[unit],
      defer = rest == ' defer',
    }
  end
  return limits
end

-- The allowance of a meter that is in force: the own limits. While the tenant is restricted, a tenth of them, rounded up,
-- unless the restriction stops the mail of the meter; on probation the smaller limit of each window, so that a probation
-- never allows more.
local function limits_in_force(meter, own, probation, restricted)
  local limits = parse_limits(own)
  if restricted and not meter.stopped then
    for _, limit in ipairs(limits) do limit.count = math.ceil(limit.count / 10) end
  end
  if not (probation and meter.on_probation) then return limits end
  local places = {}
  for at, limit in ipairs(limits) do places[limit.window] = at end
  for _, limit in ipairs(parse_limits(probation)) do
    local at = places[limit.window]
    if not at then
      limits[#limits + 1] = limit
    elseif limit.count < limits[at].count then
      limits[at] = limit
    end
  end
  return limits
end
