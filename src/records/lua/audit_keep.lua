-- Keeps an entry of one trail in another trail too; it has been published already.
--
-- KEYS[1] trail
-- ARGV[1] line   ARGV[2] its subject
-- Reply: none
--
-- @include records/audit
local trail_key = KEYS[1]
keep_line(trail_key, (string.gsub(ARGV[1], '^(%d+\t)[^\t]*', '%1' .. ARGV[2], 1)))
