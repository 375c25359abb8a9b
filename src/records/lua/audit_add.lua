-- Adds an entry to a trail.
--
-- KEYS[1] trail
-- ARGV[1] actor   ARGV[2] subject   ARGV[3] what   ARGV[4] from   ARGV[5] to
-- Reply: none
--
-- @include records/audit
local trail_key = KEYS[1]
audit(trail_key, ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
