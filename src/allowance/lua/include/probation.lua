-- The smaller allowance that holds for some time after a lift: `until`, limits and case, joined by tabs; until is
-- server time in ms.
-- Returns the limits and the case while it holds at `now`; else nothing.
local function probation_at(text, now)
  local ends, limits, case = string.match(text or '', '^(%d+)\t([^\t]*)\t(.*)$')
  if ends and now < tonumber(ends) then return limits, case end
end
