-- Tokens, and the announcement of a change to every process.
--
-- While a slot of a Cluster is moved, a key that was deleted counts as moved: the next command that touches it ends the
-- script with an error, and what the script has written until then stays. So a script writes first, and deletes keys, or
-- empties hashes, last.
--
-- @include store/clock
-- @include store/key

-- An opaque token: server time in µs and a random part from the caller.
local function new_token(random)
  return string.format('%.0f-%s', now_us(), random)
end

-- Publishes a message about a change. key: any of ours, for the prefix.
local function announce(key, message)
  redis.call('PUBLISH', prefix_of(key) .. 'changes', cjson.encode(message))
end

-- Renews the token in one field (`state` or `domains`) of the tenant's hash and announces it. message: what else to say,
-- or nil.
local function change_tenant(tenant_key, field, random, message)
  local token = new_token(random)
  message = message or {}
  message.tenant, message.token = tag_of(tenant_key), token
  redis.call('HSET', tenant_key, field, token)
  announce(tenant_key, message)
  return token
end
