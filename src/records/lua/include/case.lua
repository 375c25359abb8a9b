-- A restriction opens a case: `tenant:number`. Its record is made from the event that tells of the restriction.
local function open_case(tenant_key)
  local number = (tonumber(redis.call('HGET', tenant_key, 'cases') or '') or 0) + 1
  redis.call('HSET', tenant_key, 'cases', number)
  return string.format('%s:%d', string.match(tenant_key, '{(.-)}$'), number)
end
