-- Writes down that the restriction of a case has been lifted. Who did it stands in the audit trail already.
--
-- KEYS[1] case
-- ARGV[1] when, in ms, by and reason, joined by tabs   ARGV[2] until when (ms) and which limits hold, joined by a tab, or
-- empty
-- Reply: none
if redis.call('EXISTS', KEYS[1]) == 0 then return end
redis.call('HSET', KEYS[1], 'lifted', ARGV[1])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'probationGiven', ARGV[2]) end
