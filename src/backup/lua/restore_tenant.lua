-- Restores the tenant itself under new tokens, so that no process keeps what it cached under the old ones. Events that wait
-- for the stream stay.
--
-- KEYS[1] tenant   KEYS[2] number of cases of an earlier tenant with this id
-- ARGV[1] random part of the tokens   then for each field but tokens: ARGV[n] field, ARGV[n + 1] value
-- Reply: none
--
-- @include store/clock
-- @include records/change
local tenant_key, cases_key = KEYS[1], KEYS[2]
local kept = { domains = true, state = true, events = true, cases = true }
local exists = redis.call('HEXISTS', tenant_key, 'createdAt') == 1
-- Case numbers are never used twice.
local cases = math.max(tonumber(redis.call('HGET', tenant_key, 'cases') or 0), tonumber(redis.call('GET', cases_key) or 0))
for at = 2, #ARGV, 2 do
  kept[ARGV[at]] = true
  redis.call('HSET', tenant_key, ARGV[at], ARGV[at + 1])
end
if cases > tonumber(redis.call('HGET', tenant_key, 'cases') or 0) then redis.call('HSET', tenant_key, 'cases', cases) end
if not exists then redis.call('HSET', tenant_key, 'domains', new_token(ARGV[1])) end
change_tenant(tenant_key, 'state', ARGV[1], 'settings')
for _, field in ipairs(redis.call('HKEYS', tenant_key)) do
  if not kept[field] then redis.call('HDEL', tenant_key, field) end
end
