-- Tells of rules of unusual mail that begin to hold, and of those that have not held for a while: each once, whoever
-- looks and however often.
--
-- KEYS[1] tenant   KEYS[2] rules that hold
-- ARGV[1] random part of the ids   ARGV[2] after how many ms without a rule has ended
-- ARGV[3] JSON: what holds now, a list of { rule, words, facts }
-- Reply: { events that were raised, rules that hold }; nil: there is no such tenant
--
-- @include store/clock
-- @include records/event
local open = {}
local fields = redis.call('HGETALL', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- Another tenant of that id begins with none.
  for at = 1, #fields, 2 do redis.call('HDEL', KEYS[2], fields[at]) end
  return false
end
for at = 1, #fields, 2 do open[fields[at]] = fields[at + 1] end

local raised, left = 0, 0
local now = string.format('%.0f', now_ms())
for _, found in ipairs(cjson.decode(ARGV[3])) do
  local event, since = string.match(open[found.rule] or '', '^(%S+) (%d+)')
  if not event then
    raised = raised + 1
    event, since = raise_event(KEYS[1], ARGV[1], 'unusual', found), now
  end
  redis.call('HSET', KEYS[2], found.rule, event .. ' ' .. since .. ' ' .. now)
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
      raise_event(KEYS[1], ARGV[1], 'resolved', { resolves = event, of = 'unusual', rule = rule })
    end
  end
end
-- Last, since that may be the end of the key (see change).
if #ended > 0 then redis.call('HDEL', KEYS[2], unpack(ended)) end
return { raised, left }
