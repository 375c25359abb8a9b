-- A restriction opens a case: `tenant:number`. The record of the case is made later, from the event of the restriction.
--
-- @include store/key
local function open_case(tenant_key)
  local number = (tonumber(redis.call('HGET', tenant_key, 'cases') or '') or 0) + 1
  redis.call('HSET', tenant_key, 'cases', number)
  return string.format('%s:%d', tag_of(tenant_key), number)
end
