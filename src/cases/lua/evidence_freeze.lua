-- Stores the evidence of a case, once.
--
-- KEYS[1] tenant   KEYS[2] evidence   KEYS[3] case
-- ARGV[1] evidence   ARGV[2] how long it is kept once the case is closed, in ms
-- Reply: frozen; there: it was frozen before; gone: there is no such tenant
local tenant_key, evidence_key, case_key = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HEXISTS', tenant_key, 'createdAt') == 0 then return 'gone' end
if not redis.call('SET', evidence_key, ARGV[1], 'NX') then return 'there' end
-- The case was closed first, so its evidence must expire.
if redis.call('HEXISTS', case_key, 'closed') == 1 then redis.call('PEXPIRE', evidence_key, ARGV[2]) end
return 'frozen'
