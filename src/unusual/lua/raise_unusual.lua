-- Raises an event for each rule of unusual mail that begins to hold, and for each that has not held for a while; each
-- once, for any number of calls and processes.
--
-- KEYS[1] tenant   KEYS[2] rules that hold
-- ARGV[1] random part of the ids   ARGV[2] ms after which a rule that does not hold has ended
-- ARGV[3] JSON: rules that hold now, a list of { rule, words, facts }
-- Reply: { number of events raised, number of open rules }; nil: there is no such tenant
--
-- @include store/clock
-- @include records/event
local tenant_key, rules_key = KEYS[1], KEYS[2]
local open = {}
local fields = redis.call('HGETALL', rules_key)
if redis.call('EXISTS', tenant_key) == 0 then
  -- A new tenant with that id begins with no rule.
  for at = 1, #fields, 2 do redis.call('HDEL', rules_key, fields[at]) end
  return false
end
for at = 1, #fields, 2 do open[fields[at]] = fields[at + 1] end

local raised, left = 0, 0
local now = string.format('%.0f', now_ms())
for _, found in ipairs(cjson.decode(ARGV[3])) do
  local event, since = string.match(open[found.rule] or '', '^(%S+) (%d+)')
  if not event then
    raised = raised + 1
    event, since = raise_event(tenant_key, ARGV[1], 'unusual', found), now
  end
  redis.call('HSET', rules_key, found.rule, event .. ' ' .. since .. ' ' .. now)
  open[found.rule] = nil
  left = left + 1
end

local ended = {}
for rule, text in pairs(open) do
  local event, last = string.match(text, '^(%S+) %d+ (%d+)$')
  if event and now - last < tonumber(ARGV[2]) then
    left = left + 1
  else
    ended[#ended + 1] = rule
    if event then
      raised = raised + 1
      raise_event(tenant_key, ARGV[1], 'resolved', { resolves = event, of = 'unusual', rule = rule })
    end
  end
end
-- Last, since this may empty the hash (see change).
if #ended > 0 then redis.call('HDEL', rules_key, unpack(ended)) end
return { raised, left }
