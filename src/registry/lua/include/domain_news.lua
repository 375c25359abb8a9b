-- What the announcement of changed accepted domains says besides.

-- The names that one message holds at most: every process reads it, whether it knows the tenant or not.
local MOST_TOLD = 500

-- What has become of the names, so that no process reads the whole list again: the flags of each, or cjson.null where it
-- is gone. To be asked for before the token is renewed; nil: too many to be told.
local function domain_news(tenant_key, domains, count)
  if count > MOST_TOLD then return nil end
  return { previous = redis.call('HGET', tenant_key, 'domains') or '', domains = domains }
end
