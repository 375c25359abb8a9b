-- Tokens, and the announcement of a change to every process.
--
-- While a slot of a Cluster is moved, a key that was deleted counts as moved: the next command that touches it ends the
-- script with an error, and what the script has written until then stays. So a script writes first, and deletes keys, or
-- empties hashes, last.
--
-- @include store/clock
-- @include store/key

-- A token: a time in µs and a random part from the caller. Its time is later than that of the tokens it follows.
local function token_of(time, random, ...)
  for _, earlier in ipairs({ ... }) do
    time = math.max(time, (tonumber(string.match(earlier or '', '^%d+')) or 0) + 1)
  end
  return string.format('%.0f-%s', time, random)
end

-- A token of now by the server's clock. It is later than those it follows even if the clock was set back: a process that reads
-- an earlier one than it knows sees that Redis has gone back in time.
local function new_token(random, ...)
  return token_of(now_us(), random, ...)
end

-- Publishes a message about a change. key: any of ours, for the prefix.
local function announce(key, message)
  redis.call('PUBLISH', prefix_of(key) .. 'changes', cjson.encode(message))
end

-- Renews the token in one field (`state` or `domains`) of the tenant's hash and announces it. about: domains, settings,
-- restriction, lift or removal; message: what else to say, or nil (of settings: a table of those that changed, `tenant` is its createdAt); put_back: Redis has lost it, and maybe later changes too,
-- so the token is as early as it can be: else processes that know later changes would not notice.
local function change_tenant(tenant_key, field, random, about, message, put_back)
  local earlier = redis.call('HMGET', tenant_key, 'domains', 'state')
  local token = token_of(put_back and 0 or now_us(), random, unpack(earlier))
  message = message or {}
  message.tenant, message.token, message.about = tag_of(tenant_key), token, about
  redis.call('HSET', tenant_key, field, token)
  announce(tenant_key, message)
  return token
end
