-- Replaces the evidence of a case, unless it has changed since it was read. When it expires stays the same.
--
-- KEYS[1] evidence
-- ARGV[1] what was read, as SHA-1 in hex   ARGV[2] the new evidence
-- Reply: completed; changed: another process was first, or it has expired
local evidence_key = KEYS[1]
local text = redis.call('GET', evidence_key)
if not text or redis.sha1hex(text) ~= ARGV[1] then return 'changed' end
redis.call('SET', evidence_key, ARGV[2], 'KEEPTTL')
return 'completed'
