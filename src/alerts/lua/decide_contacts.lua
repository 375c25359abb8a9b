-- Decides whether contacts of many restricted tenants are mailed.
--
-- KEYS[1] restrictions among many: see events/publish
-- ARGV[1] send or drop   ARGV[2 …] ids of their events
-- Reply: the ids of those that were held
--
local many_key = KEYS[1]
local decided = {}
for at = 2, #ARGV do
  local told, rest = string.match(redis.call('HGET', many_key, ARGV[at]) or '', '^([^\t]*)\theld\t(.*)$')
  if told then
    redis.call('HSET', many_key, ARGV[at], table.concat({ told, ARGV[1], rest }, '\t'))
    decided[#decided + 1] = ARGV[at]
  end
end
return decided
