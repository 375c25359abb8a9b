-- Closes a case, whose restriction must have been lifted: its record and its evidence go some time later.
--
-- KEYS[1] case   KEYS[2] evidence   KEYS[3] restriction   KEYS[4] audit trail
-- ARGV[1] actor   ARGV[2] name of the case   ARGV[3] by   ARGV[4] text   ARGV[5] how long the record is kept, in ms
-- ARGV[6] how long the evidence is
-- Reply: closed; unchanged: it was; restricted; gone: there is no such case
--
-- @include store/clock
-- @include records/audit
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
if redis.call('HEXISTS', KEYS[1], 'closed') == 1 then return 'unchanged' end
if redis.call('HGET', KEYS[3], 'case') == ARGV[2] then return 'restricted' end
redis.call('HSET', KEYS[1], 'closed', string.format('%.0f\t%s\t%s', now_ms(), ARGV[3], ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
audit(KEYS[4], ARGV[1], ARGV[2], 'case closed', '', ARGV[4])
return 'closed'
