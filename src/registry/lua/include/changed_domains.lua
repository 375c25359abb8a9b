-- Names the changed accepted domains in the announcement, so that no process reads the whole list again.

-- Names in one message at most: every process reads it, whether it knows the tenant or not.
local MOST_ANNOUNCED = 500

-- The message for change_tenant, before it renews the token; nil: too many domains for one message. domains: name →
-- flags, or cjson.null where it was removed.
local function changed_domains(tenant_key, domains, count)
  if count > MOST_ANNOUNCED then return nil end
  return { previous = redis.call('HGET', tenant_key, 'domains') or '', domains = domains }
end
