-- Finds claims that an interrupted command may have left. Writes nothing.
--
-- KEYS[1] pending
-- ARGV for each: ARGV[n] name, ARGV[n + 1] its owner
-- Reply: for each in order: 1 if it is pending and its lease is over, else 0
--
-- @include registry/pending
local pending_key = KEYS[1]
local names, reply = {}, {}
for at = 1, #ARGV, 2 do names[#names + 1] = ARGV[at] end
for at, lease in ipairs(leases_of(pending_key, names)) do
  local _, over = state_of(pending_key, lease, ARGV[2 * at])
  reply[at] = over and 1 or 0
end
return reply
