/**
 * For `new Store(client, keys, EARLIER)`: the scripts write and announce as a version that did not say what a change is about.
 * `records/lua/include/change.lua` as it was then.
 */
export const EARLIER = {
  change: `
-- @include store/clock
-- @include store/key
local function new_token(random) return string.format('%.0f-%s', now_us(), random) end
local function announce(key, message)
  redis.call('PUBLISH', prefix_of(key) .. 'changes', cjson.encode(message))
end
local function change_tenant(tenant_key, field, random, about, message)
  local token = new_token(random)
  message = about == 'domains' and message or {}
  message.tenant, message.token = tag_of(tenant_key), token
  redis.call('HSET', tenant_key, field, token)
  announce(tenant_key, message)
  return token
end
`,
}
