-- Registers a tenant.
--
-- KEYS[1] tenant
-- ARGV[1] random part of the tokens   ARGV[2] source   ARGV[3] name   ARGV[4] mode   ARGV[5] limits   ARGV[6] limits of
-- the null sender; an empty one is left to the default
-- Reply: 'added', or what is there: { name, mode, limits, limits of the null sender }
--
-- @include clock
-- @include change
if redis.call('HEXISTS', KEYS[1], 'createdAt') == 1 then
  local there = redis.call('HMGET', KEYS[1], 'name', 'mode', 'limits', 'nullLimits')
  for at = 1, 4 do there[at] = there[at] or '' end
  return there
end

redis.call('HSET', KEYS[1], 'name', ARGV[3], 'source', ARGV[2], 'createdAt', string.format('%.0f', now_ms()),
  'domains', new_token(ARGV[1]))
for at, field in ipairs({ 'mode', 'limits', 'nullLimits' }) do
  if ARGV[at + 3] ~= '' then redis.call('HSET', KEYS[1], field, ARGV[at + 3]) end
end
change_tenant(KEYS[1], 'state', ARGV[1])
return 'added'
