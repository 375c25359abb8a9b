-- Tells which names a command is about to write or remove, and which an interrupted one was. Writes nothing.
--
-- KEYS[1] pending
-- ARGV for each: ARGV[n] name, ARGV[n + 1] its owner
-- Reply: for each in order: running or over, as the lease of the owner is; empty: it is not pending
--
-- @include registry/pending
local pending_key = KEYS[1]
local names, reply = {}, {}
for at = 1, #ARGV, 2 do names[#names + 1] = ARGV[at] end
for at, lease in ipairs(leases_of(pending_key, names)) do
  local is_pending, over = state_of(pending_key, lease, ARGV[2 * at])
  reply[at] = over and 'over' or is_pending and 'running' or ''
end
return reply
