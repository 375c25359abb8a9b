-- Keeps the answer of a host to an order. The first one counts.
--
-- KEYS[1] orders   KEYS[2] hosts   KEYS[3] answers   KEYS[4] ids
-- ARGV[1] host   ARGV[2] id of the order   ARGV[3] answer, JSON   ARGV[4] ids of listed messages, or empty
-- ARGV[5] for how long they are kept, in ms
-- Reply: none
local orders_key, hosts_key, answers_key, ids_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local host, id, answer, ids, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local own = redis.call('HGET', hosts_key, host)
if own then
  redis.call('HSET', hosts_key, host, (string.gsub(own, ' ' .. id .. ' %d+', ' ' .. id .. ' done')))
end
-- Nobody waits for it any more.
if redis.call('HEXISTS', orders_key, id) == 0 then return end
if redis.call('HSETNX', answers_key, host, answer) == 1 and ids ~= '' then
  redis.call('HSET', ids_key, host, ids)
  redis.call('PEXPIRE', ids_key, life)
end
redis.call('PEXPIRE', answers_key, life)
