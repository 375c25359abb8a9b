-- Adds what a process has tallied of a tenant's mail to the reports of an hour and a day.
--
-- KEYS[1] tenant   KEYS[2] flushes   KEYS[3] report of the hour   KEYS[4] its others   KEYS[5] report of the day
-- KEYS[6] its others   KEYS[7] samples of the day   KEYS[8] connectors seen   KEYS[9] domains
-- ARGV[1] process and number of the flush, joined by a space: the same one again changes nothing
-- ARGV[2] hours since the epoch: the hour of the keys
-- ARGV[3] how long ago the first and the last of it was seen, in ms, joined by a space
-- ARGV[4] how long hours, days and connectors are kept, in ms, joined by spaces
-- ARGV[5] bounds: domains, addresses, users, rows, rows by domain, rows by connector, sampled sources, samples of each,
--         connectors, joined by spaces
-- ARGV[6] registered mail: eight numbers, joined by spaces, or ''   ARGV[7] the same for the null sender
-- ARGV[8] sources: lines of class (`u` unregistered, `?` nobody knew), eight numbers, domain, connector, address, user,
--         joined by tabs
-- ARGV[9] domains that the caller had no room for, joined by spaces
-- ARGV[10] connectors that mail came through: lines of name and expiry of the certificate in ms (0: none), joined by tabs
-- ARGV[11] samples: lines of domain, connector, address, user, Message-ID, HELO, joined by tabs
--
-- Reply: `answer time`, the server time in ms
-- TAKEN   added, now or before
-- HOUR    nothing done: these are not the keys of that hour; the time says which are
-- GONE    nothing done: there is no such tenant
--
-- @include clock
-- @include tallies
local HOUR = 3600000
local OTHER = '(other)'

local now = now_ms()

local function answer_only(answer)
  return string.format('%s %.0f', answer, now)
end

local age, age_of_last = string.match(ARGV[3], '^(%d+) (%d+)$')
local first, last = now - age, now - age_of_last
local hour = tonumber(ARGV[2])
if not is_within(first, hour, HOUR) then return answer_only('HOUR') end
if not redis.call('HGET', KEYS[1], 'createdAt') then return answer_only('GONE') end

local hours_ttl, days_ttl, seen_ttl = unpack(numbers_of(ARGV[4]))
local MOST_DOMAINS, MOST_ADDRESSES, MOST_USERS, MOST_ROWS, MOST_DOMAIN_ROWS, MOST_CONNECTOR_ROWS,
  MOST_SAMPLED, MOST_SAMPLES, MOST_CONNECTORS = unpack(numbers_of(ARGV[5]))

local process, number = string.match(ARGV[1], '^(%S+) (%d+)$')
if not first_time(KEYS[2], process, number, hours_ttl) then return answer_only('TAKEN') end

local function field_of(domain, connector, ip, user)
  return table.concat({ 's', domain, connector, ip, user }, '\t')
end

-- Whether a domain that nobody could classify is an accepted one, itself or by a name above it.
local function is_accepted(domain)
  local name, is_itself = domain, true
  while name ~= '' do
    local entry = redis.call('HGET', KEYS[9], name)
    if entry and (is_itself or string.match(entry, '^%l*s')) then return true end
    name, is_itself = string.match(name, '%.(.*)$') or '', false
  end
  return false
end

local totals = { r = ARGV[6] ~= '' and numbers_of(ARGV[6]), n = ARGV[7] ~= '' and numbers_of(ARGV[7]) }

local function add_total(class, numbers)
  local total = totals[class] or { 0, 0, 0, 0, 0, 0, 0, 0 }
  for at = 1, 8 do total[at] = total[at] + numbers[at] end
  totals[class] = total
end

local sources = {}
for class, text, domain, connector, ip, user in
  string.gmatch(ARGV[8], '([^\t\n]+)\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)')
do
  local numbers = numbers_of(text)
  if class == '?' and is_accepted(domain) then
    add_total('r', numbers)
  else
    add_total('u', numbers)
    sources[#sources + 1] = { domain, connector, ip, user, numbers = numbers }
  end
end

local function note(contents, kind, value)
  if value == OTHER or contents[kind][value] then return end
  contents[kind][value] = true
  contents.distinct[kind] = contents.distinct[kind] + 1
end

local function note_row(contents, field)
  local domain, _, ip, user = string.match(field, '^s\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$')
  if not domain then return end
  contents.fields[field] = true
  contents.rows = contents.rows + 1
  note(contents, 'domains', domain)
  note(contents, 'addresses', ip)
  note(contents, 'users', user)
end

-- What has rows in a report.
local function contents_of(fields)
  local contents = {
    fields = {}, rows = 0,
    domains = {}, addresses = {}, users = {},
    distinct = { domains = 0, addresses = 0, users = 0 },
  }
  for _, field in ipairs(fields) do note_row(contents, field) end
  return contents
end

local function has_room(contents, kind, value, most)
  return contents[kind][value] or contents.distinct[kind] < most
end

-- The row that a source is counted in: the first of its own, its domain's, its connector's and everybody's that is
-- there or has room.
local function row_for(contents, source)
  local domain, connector, ip, user = unpack(source)
  if domain ~= OTHER and has_room(contents, 'domains', domain, MOST_DOMAINS) then
    local own, of_domain = field_of(domain, connector, ip, user), field_of(domain, connector, OTHER, OTHER)
    if contents.fields[own] then return own end
    if
      contents.rows < MOST_ROWS
      and has_room(contents, 'addresses', ip, MOST_ADDRESSES)
      and has_room(contents, 'users', user, MOST_USERS)
    then
      return own
    end
    if contents.fields[of_domain] or contents.rows < MOST_DOMAIN_ROWS then return of_domain end
  end
  local of_connector = field_of(OTHER, connector, OTHER, OTHER)
  if contents.fields[of_connector] or contents.rows < MOST_CONNECTOR_ROWS then return of_connector end
  return field_of(OTHER, OTHER, OTHER, OTHER)
end

-- The fields and values to be set in a report, and the domains that have no row of their own there.
local function with_sources(key)
  if #sources == 0 and ARGV[9] == '' then return {}, {} end
  local own = {}
  for at, source in ipairs(sources) do own[at] = field_of(unpack(source)) end
  local known = #own > 0 and redis.call('HMGET', key, unpack(own)) or {}
  local is_new = ARGV[9] ~= ''
  for at = 1, #own do is_new = is_new or not known[at] end
  -- Looked at only where there is something new.
  local contents = is_new and contents_of(redis.call('HKEYS', key))

  local values, order, others = {}, {}, {}
  for at, source in ipairs(sources) do
    local field = own[at]
    if not known[at] then
      field = row_for(contents, source)
      if not contents.fields[field] then note_row(contents, field) end
      if source[1] ~= OTHER and not contents.domains[source[1]] then others[#others + 1] = source[1] end
    end
    if values[field] == nil then
      order[#order + 1] = field
      values[field] = redis.call('HGET', key, field)
    end
    values[field] = added(values[field], source.numbers, first, last)
  end
  for name in string.gmatch(ARGV[9], '%S+') do
    if not contents.domains[name] then others[#others + 1] = name end
  end

  local fields = {}
  for at, field in ipairs(order) do fields[2 * at - 1], fields[2 * at] = field, values[field] end
  return fields, others
end

local function add_totals()
  local fields = {}
  for class, numbers in pairs(totals) do
    if numbers then
      local field = table.concat({ 't', hour % 24, class }, '\t')
      fields[#fields + 1] = field
      fields[#fields + 1] = added(redis.call('HGET', KEYS[5], field), numbers, first, last)
    end
  end
  set_fields(KEYS[5], fields, days_ttl)
end

local function note_connectors()
  local fields = {}
  local room = MOST_CONNECTORS - redis.call('HLEN', KEYS[8])
  for name, expires in string.gmatch(ARGV[10], '([^\t\n]+)\t(%d+)') do
    local known = redis.call('HGET', KEYS[8], name)
    if known or room > 0 then
      if not known then room = room - 1 end
      local seen = numbers_of(known)
      fields[#fields + 1] = name
      fields[#fields + 1] =
        string.format('%.0f %.0f %s', seen[1] or first, math.max(seen[2] or last, last), expires)
    end
  end
  set_fields(KEYS[8], fields, seen_ttl)
end

-- One without a Message-ID, of mail refused before DATA, counts only until there is another.
local function with_sample(text, sample)
  if not text then return sample end
  local is_nameless = string.sub(sample, 1, 1) == '\t'
  if is_nameless then return nil end
  if string.sub(text, 1, 1) == '\t' then return sample end
  local _, breaks = string.gsub(text, '\n', '')
  if breaks + 1 >= MOST_SAMPLES then return nil end
  return text .. '\n' .. sample
end

local function add_samples()
  for domain, connector, ip, user, sample in
    string.gmatch(ARGV[11], '([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)\t([^\n]*)')
  do
    local field = field_of(domain, connector, ip, user)
    local text = redis.call('HGET', KEYS[7], field)
    local new = with_sample(text, sample)
    if new and (text or redis.call('HLEN', KEYS[7]) < MOST_SAMPLED) then
      redis.call('HSET', KEYS[7], field, new)
      redis.call('PEXPIRE', KEYS[7], days_ttl)
    end
  end
end

local fields, others = with_sources(KEYS[3])
set_fields(KEYS[3], fields, hours_ttl)
add_names(KEYS[4], others, hours_ttl)
fields, others = with_sources(KEYS[5])
set_fields(KEYS[5], fields, days_ttl)
add_names(KEYS[6], others, days_ttl)
add_totals()
note_connectors()
add_samples()
return answer_only('TAKEN')
