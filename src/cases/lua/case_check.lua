-- Ticks steps of a case, all or none, replacing earlier ticks.
--
-- KEYS[1] case   KEYS[2] audit trail
-- ARGV[1] actor   ARGV[2] name of the case   ARGV[3] by   ARGV[4] text   ARGV[5 …] steps
-- Reply: checked; unchanged: all were ticked so before; closed; gone: there is no such case
--
-- @include store/clock
-- @include records/audit
local case_key, audit_key = KEYS[1], KEYS[2]
local actor, name, by, text = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('EXISTS', case_key) == 0 then return 'gone' end
if redis.call('HEXISTS', case_key, 'closed') == 1 then return 'closed' end
local reply = 'unchanged'
for at = 5, #ARGV do
  local field = 'tick:' .. ARGV[at]
  local had_by, had_text = string.match(redis.call('HGET', case_key, field) or '', '^%d+\t([^\t]*)\t(.*)$')
  if had_by ~= by or had_text ~= text then
    redis.call('HSET', case_key, field, string.format('%.0f\t%s\t%s', now_ms(), by, text))
    audit(audit_key, actor, name, 'case checked: ' .. ARGV[at], had_text or '', text)
    reply = 'checked'
  end
end
return reply
