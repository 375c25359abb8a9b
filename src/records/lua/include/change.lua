-- Tokens and the announcement of a change. Needs clock.
--
-- In a slot of a Cluster that is being moved, a key that has gone counts as moved: whatever touches it again ends the
-- script with an error, and what it has written until then stays. So a script that changes something writes first,
-- and deletes, or empties a hash, last.

-- An opaque token: server time in µs and a random part that the caller brings.
local function new_token(random)
  return string.format('%.0f-%s', now_us(), random)
end

-- Renews the token in one field (`state` or `domains`) of the tenant's hash and tells every process. news: what the
-- message is to say besides, if anything.
local function change_tenant(tenant_key, field, random, news)
  local token = new_token(random)
  local prefix, id = string.match(tenant_key, '^(.*){(.-)}$')
  local message = news or {}
  message.tenant, message.token = id, token
  redis.call('HSET', tenant_key, field, token)
  redis.call('PUBLISH', prefix .. 'changes', cjson.encode(message))
  return token
end
