-- Writes connectors: all of them, or none. An identity that one of them gives up, another of the same call may take.
--
-- KEYS[1] connectors   KEYS[2] identities   KEYS[3] token   KEYS[4] audit trail
-- ARGV[1] random part of a token   ARGV[2] JSON: a list of { id, was, value, stamp, frees, takes }. id: tenant/name;
-- was: the JSON that the caller saw, or empty; value: the new one, or empty to remove it; stamp: what the
-- script adds the time of: added, changed, blocked, or empty; frees, takes: fields of the identities that it gives up and takes
-- ARGV[3] actor   ARGV[4] JSON: entries of the audit trail, a list of { subject, what, from, to }
-- Reply: { 'written' } · { 'stale' } another caller wrote first, nothing written · { 'taken', identity, holder, id }
--
-- @include store/clock
-- @include records/change
-- @include records/audit
-- Arguments that cannot be read end the script before it writes.
local connectors_key, identities_key, token_key, audit_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local changes, entries = cjson.decode(ARGV[2]), cjson.decode(ARGV[4])
local free = {}
for _, change in ipairs(changes) do
  if (redis.call('HGET', connectors_key, change.id) or '') ~= change.was then return { 'stale' } end
  for _, identity in ipairs(change.frees) do free[identity] = change.id end
end

local taken = {}
for _, change in ipairs(changes) do
  for _, identity in ipairs(change.takes) do
    local holder = taken[identity]
    if not holder then
      holder = redis.call('HGET', identities_key, identity)
      -- A holder that does not exist holds nothing.
      if holder and (free[identity] == holder or redis.call('HEXISTS', connectors_key, holder) == 0) then holder = false end
    end
    if holder and holder ~= change.id then return { 'taken', identity, holder, change.id } end
    taken[identity] = change.id
  end
end

-- Written before anything is deleted: a deleted key must not be touched again (see change).
for identity, id in pairs(taken) do redis.call('HSET', identities_key, identity, id) end
local ids, removed, freed = {}, {}, {}
for _, change in ipairs(changes) do
  ids[#ids + 1] = change.id
  for _, identity in ipairs(change.frees) do
    if redis.call('HGET', identities_key, identity) == change.id then freed[#freed + 1] = identity end
  end
  if change.value == '' then
    removed[#removed + 1] = change.id
  elseif change.stamp == 'added' then
    -- Spliced as text: cjson would write an empty list as {}.
    local open = string.sub(change.value, 1, -2)
    redis.call('HSET', connectors_key, change.id, string.format('%s,"addedAt":%.0f}', open, now_ms()))
  elseif change.stamp == 'changed' then
    local rest = string.sub(change.value, 2)
    redis.call('HSET', connectors_key, change.id, string.format('{"changedAt":%.0f,%s', now_ms(), rest))
  elseif change.stamp == 'blocked' then
    local open = string.sub(change.value, 1, -3)
    redis.call('HSET', connectors_key, change.id, string.format('%s,"since":%.0f}}', open, now_ms()))
  else
    redis.call('HSET', connectors_key, change.id, change.value)
  end
end
for _, entry in ipairs(entries) do
  audit(audit_key, ARGV[3], entry.subject, entry.what, entry.from, entry.to)
end
for _, identity in ipairs(freed) do redis.call('HDEL', identities_key, identity) end
for _, id in ipairs(removed) do redis.call('HDEL', connectors_key, id) end

local previous = redis.call('GET', token_key)
local token = new_token(ARGV[1], previous)
redis.call('SET', token_key, token)
announce(connectors_key, { connectors = token, previous = previous or cjson.null, changed = ids })
return { 'written' }
