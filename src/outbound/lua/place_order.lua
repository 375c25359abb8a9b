-- Places an order to the queues of all hosts, and tells them.
--
-- KEYS[1] orders   KEYS[2] hosts   KEYS[3] ids of the list that the order is about, or none
-- ARGV[1] id   ARGV[2] order, JSON   ARGV[3] for how long it is valid, in ms   ARGV[4] at most so many orders at a time
-- ARGV[5] for how long a host is remembered, in ms
-- Reply: false: there are too many; else the time, and for each host that follows orders: its name, when it was seen, in ms
--
-- @include records/change
local orders_key, hosts_key, ids_key = KEYS[1], KEYS[2], KEYS[3]
local id, order, life, most, memory = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = now_ms()

local orders = redis.call('HGETALL', orders_key)
local over, live = {}, 0
for at = 1, #orders, 2 do
  local placed = tonumber(string.match(orders[at + 1], '^%d+')) or 0
  if placed > now - life then live = live + 1 else over[#over + 1] = orders[at] end
end
if live >= most then return false end

local reply, gone = { string.format('%.0f', now) }, {}
local hosts = redis.call('HGETALL', hosts_key)
for at = 1, #hosts, 2 do
  -- Negative: it has stopped.
  local seen = tonumber(string.match(hosts[at + 1], '^-?%d+')) or 0
  if math.abs(seen) < now - memory then
    gone[#gone + 1] = hosts[at]
  elseif seen > 0 then
    reply[#reply + 1] = hosts[at]
    reply[#reply + 1] = string.format('%.0f', seen)
  end
end

redis.call('HSET', orders_key, id, string.format('%.0f %s', now, order))
redis.call('PEXPIRE', orders_key, life)
if ids_key then redis.call('PEXPIRE', ids_key, life) end
announce(orders_key, { registry = '', orders = true })
for _, field in ipairs(over) do redis.call('HDEL', orders_key, field) end
for _, field in ipairs(gone) do redis.call('HDEL', hosts_key, field) end
return reply
