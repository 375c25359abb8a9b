-- Closes a case whose restriction has been lifted: its record and its evidence expire later.
--
-- KEYS[1] case   KEYS[2] evidence   KEYS[3] restriction   KEYS[4] audit trail
-- ARGV[1] actor   ARGV[2] name of the case   ARGV[3] by   ARGV[4] text   ARGV[5] how long the record is kept, in ms
-- ARGV[6] how long the evidence is kept, in ms
-- Reply: closed; unchanged: it was closed before; restricted; gone: there is no such case
--
-- @include store/clock
-- @include records/audit
local case_key, evidence_key, restriction_key, audit_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('EXISTS', case_key) == 0 then return 'gone' end
if redis.call('HEXISTS', case_key, 'closed') == 1 then return 'unchanged' end
if redis.call('HGET', restriction_key, 'case') == ARGV[2] then return 'restricted' end
redis.call('HSET', case_key, 'closed', string.format('%.0f\t%s\t%s', now_ms(), ARGV[3], ARGV[4]))
redis.call('PEXPIRE', case_key, ARGV[5])
redis.call('PEXPIRE', evidence_key, ARGV[6])
audit(audit_key, ARGV[1], ARGV[2], 'case closed', '', ARGV[4])
return 'closed'
