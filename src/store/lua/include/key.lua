-- The parts of a key: `PREFIX{TAG}` and what follows.
local function prefix_of(key)
  return string.match(key, '^(.-){')
end

local function tag_of(key)
  return string.match(key, '{(.-)}')
end
