-- Probation: a smaller allowance for some time after a lift, as `until`, limits and case, joined by tabs; until is server
-- time in ms. Returns its limits and case while it is in effect at `now`; else nothing.
local function probation_at(text, now)
  local ends, limits, case = string.match(text or '', '^(%d+)\t([^\t]*)\t(.*)$')
  if ends and now < tonumber(ends) then return limits, case end
end
