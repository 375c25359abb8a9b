-- Reads an allowance in its canonical text: `300/1h, 1500/1d defer`; `unlimited` gives none.
local UNIT_MS = { s = 1000, m = 60000, h = 3600000, d = 86400000 }

local function parse_limits(text)
  local limits = {}
  for count, length, unit, rest in string.gmatch(text, '(%d+)/(%d+)([smhd])([^,]*)') do
    limits[#limits + 1] = {
      text = count .. '/' .. length .. unit,
      count = tonumber(count),
      window = length * UNIT_MS[unit],
      defer = string.find(rest, 'defer', 1, true) ~= nil,
    }
  end
  return limits
end
