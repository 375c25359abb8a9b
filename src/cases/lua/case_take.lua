-- Notes who is on a case, or that no person is any more.
--
-- KEYS[1] case   KEYS[2] audit trail
-- ARGV[1] actor   ARGV[2] name of the case   ARGV[3] by, or empty: no person is on it any more
-- ARGV[4] 1: take it over from another person
-- Reply: { taken | released | unchanged | held | closed | gone, who was on it as `time<tab>by`, or empty }
--
-- @include store/clock
-- @include records/audit
local case_key, audit_key = KEYS[1], KEYS[2]
local by = ARGV[3]
if redis.call('EXISTS', case_key) == 0 then return { 'gone', '' } end
if redis.call('HEXISTS', case_key, 'closed') == 1 then return { 'closed', '' } end
local before = redis.call('HGET', case_key, 'taken') or ''
local had = string.match(before, '\t(.*)$') or ''
if had == by then return { 'unchanged', before } end
if by == '' then
  redis.call('HDEL', case_key, 'taken')
  audit(audit_key, ARGV[1], ARGV[2], 'case released', had, '')
  return { 'released', before }
end
if had ~= '' and ARGV[4] ~= '1' then return { 'held', before } end
redis.call('HSET', case_key, 'taken', string.format('%.0f\t%s', now_ms(), by))
audit(audit_key, ARGV[1], ARGV[2], 'case taken', had, by)
return { 'taken', before }
