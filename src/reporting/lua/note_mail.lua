-- Adds what mail of a day has shown to the index of that day, while there is room.
--
-- KEYS[1] index
-- ARGV[1] most members   ARGV[2] how long they are kept, in ms   ARGV[3 …] members
-- Reply: OK
local index_key = KEYS[1]
local room = ARGV[1] - redis.call('ZCARD', index_key)
for at = 3, #ARGV do
  if room <= 0 then break end
  -- Of one score, members are in the order of their text.
  room = room - redis.call('ZADD', index_key, 0, ARGV[at])
end
redis.call('PEXPIRE', index_key, ARGV[2])
return redis.status_reply('OK')
