-- Keeps the evidence of a case, once.
--
-- KEYS[1] tenant   KEYS[2] evidence   KEYS[3] case
-- ARGV[1] evidence   ARGV[2] how long it is kept once the case is closed, in ms
-- Reply: frozen; there: it was; gone: there is no such tenant
if redis.call('HEXISTS', KEYS[1], 'createdAt') == 0 then return 'gone' end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX') then return 'there' end
-- Whoever closed it found nothing to let go.
if redis.call('HEXISTS', KEYS[3], 'closed') == 1 then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
return 'frozen'
