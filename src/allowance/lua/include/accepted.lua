-- Whether a domain is an accepted domain, itself or below one with subdomains. names: the domain and its parents.
local function is_accepted(domains_key, names)
  for at, entry in ipairs(redis.call('HMGET', domains_key, unpack(names))) do
    if entry and (at == 1 or string.match(entry, '^%l*s')) then return true end
  end
  return false
end
