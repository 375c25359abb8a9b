-- Notes that a host follows orders, and takes one that it has not carried out. One process of the host gets it, and renews
-- that while it works; where the process dies, the order can be taken again after a while.
--
-- KEYS[1] orders   KEYS[2] hosts   KEYS[3] lost
-- ARGV[1] host   ARGV[2] for how long an order is valid, in ms   ARGV[3] for how long it is taken, in ms
-- ARGV[4] take; or stop: the host takes none any more; or renew, with ARGV[5] the order that is being carried out
-- Reply: id and order, JSON; none: nothing is to be done
--
-- The host has a field: when it was seen (negative: it has stopped), then each valid order that it has taken, and until
-- when, in ms, or `done`.
--
-- @include store/clock
local orders_key, hosts_key, lost_key = KEYS[1], KEYS[2], KEYS[3]
local host, life, lease, does, own = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local now = now_ms()
-- What was ordered before Redis went back in time may have been carried out since.
local since = tonumber(redis.call('HGET', lost_key, 'since') or '') or 0

local taken = {}
for id, state in string.gmatch(redis.call('HGET', hosts_key, host) or '', ' (%S+) (%S+)') do taken[id] = state end

local reply = {}
local words = { string.format('%.0f', does == 'stop' and -now or now) }
local orders = redis.call('HGETALL', orders_key)
for at = 1, #orders, 2 do
  local id, placed, order = orders[at], string.match(orders[at + 1], '^(%d+) (.*)$')
  placed = tonumber(placed) or 0
  if placed > now - life and placed <= now and placed >= since then
    local state = taken[id]
    local takes = does == 'take' and #reply == 0 and state ~= 'done' and (tonumber(state) or 0) < now
    if takes then reply = { id, order } end
    if takes or (id == own and state ~= 'done') then state = string.format('%.0f', now + lease) end
    if state then words[#words + 1] = id .. ' ' .. state end
  end
end
redis.call('HSET', hosts_key, host, table.concat(words, ' '))
return reply
