-- Keeps an entry of one trail in another, too; it has been told of already.
--
-- KEYS[1] trail
-- ARGV[1] line   ARGV[2] its subject
-- Reply: none
--
-- @include store/clock
-- @include records/audit
keep_line(KEYS[1], (string.gsub(ARGV[1], '^(%d+\t)[^\t]*', '%1' .. ARGV[2], 1)))
