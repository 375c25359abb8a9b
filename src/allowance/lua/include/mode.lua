-- The mode of a tenant: the override wins, then its own, then that of all.
local function mode_of(override, own, default)
  return override ~= '' and override or own or default
end
