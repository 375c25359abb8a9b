-- The announcement of changed accepted domains. Needs change.

-- The names that one message holds at most: every process reads it, whether it knows the tenant or not.
local MOST_TOLD = 500

-- Renews the token of a tenant's domains and tells every process what has become of the names, so that none reads the
-- whole list again: true (those below it count too), false, or cjson.null where the name is gone.
local function change_domains(tenant_key, random, domains, count)
  local news
  if count <= MOST_TOLD then
    news = { previous = redis.call('HGET', tenant_key, 'domains') or '', domains = domains }
  end
  change_tenant(tenant_key, 'domains', random, news)
end
