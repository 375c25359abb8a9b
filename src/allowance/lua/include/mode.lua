-- The mode in force: the override, else the tenant's own, else the default.
local function mode_of(override, own, default)
  return override ~= '' and override or own or default
end
