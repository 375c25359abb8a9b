-- Adds the counts that a process has made of a tenant's mail to the reports of an hour and a day.
--
-- KEYS[1] tenant   KEYS[2] flushes   KEYS[3] report of the hour   KEYS[4] its others   KEYS[5] report of the day
-- KEYS[6] its others   KEYS[7] samples of the day   KEYS[8] connectors seen   KEYS[9] domains
-- KEYS[10] minutes of the hour
-- ARGV[1] process and number of the flush, joined by a space: the same one again changes nothing
-- ARGV[2] hours since the epoch: the hour of the keys
-- ARGV[3] age of the first and the last count, in ms, joined by a space
-- ARGV[4] how long hours, days, connectors and minutes are kept, in ms, joined by spaces
-- ARGV[5] bounds: domains, addresses, users, rows, rows by domain, rows by connector, sampled sources, samples of each,
--         connectors, foreign domains, domains in the header From, rows of these, rows of minutes,
--         joined by spaces
-- ARGV[6] mail of classes with totals only: lines of class, eight numbers and connector, joined by tabs; a class is a
--         letter
-- ARGV[7] sources: lines of class (`?`: unknown), eight numbers, domain, connector, address, user, joined by tabs
-- ARGV[8] domains that the batch had no rows for, joined by spaces
-- ARGV[9] connectors used: lines of name and expiry of the certificate in ms (0: none), joined by tabs
-- ARGV[10] samples: lines of class, domain, connector, address, user, Message-ID, HELO, joined by tabs
-- ARGV[11] domains of other tenants: lines of eight numbers, domain, owner, joined by tabs
-- ARGV[12 …] for each class whose header From was checked: the letter of its fields, or ''; messages checked and
--            mismatched, joined by a space; the mismatched ones as lines of number, domain, connector, joined by tabs
--
-- Reply: `answer time`, the server time in ms
-- TAKEN   recorded, now or before; then what is new in the reports of the day, in lines of a kind and a value: `d` domain,
--         `a` address, `m` Message-ID
-- HOUR    nothing done: these are not the keys of that hour; take them from the time
-- GONE    nothing done: there is no such tenant
--
-- @include store/clock
-- @include mail/classes
-- @include reporting/tallies
local tenant_key, flushes_key, hour_key, hour_others_key, day_key, day_others_key, samples_key, seen_key, domains_key, minutes_key =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local HOUR, MINUTE, MOST_PROCESSES = 3600000, 60000, 64
local OTHER = '(other)'

local now = now_ms()

local function answer_only(answer)
  return string.format('%s %.0f', answer, now)
end

local age, age_of_last = string.match(ARGV[3], '^(%d+) (%d+)$')
local first, last = now - age, now - age_of_last
local hour = tonumber(ARGV[2])
if not is_within(first, hour, HOUR) then return answer_only('HOUR') end
if not redis.call('HGET', tenant_key, 'createdAt') then return answer_only('GONE') end

local hours_ttl, days_ttl, seen_ttl, minutes_ttl = unpack(numbers_of(ARGV[4]))
local MOST_DOMAINS, MOST_ADDRESSES, MOST_USERS, MOST_ROWS, MOST_DOMAIN_ROWS, MOST_CONNECTOR_ROWS,
  MOST_SAMPLED, MOST_SAMPLES, MOST_CONNECTORS,
  MOST_OWNED, MOST_HEADER_FROM, MOST_HEADER_FROM_ROWS, MOST_MINUTE_ROWS = unpack(numbers_of(ARGV[5]))

local process, number = string.match(ARGV[1], '^(%S+) (%d+)$')
if not first_time(flushes_key, process, number, hours_ttl, MOST_PROCESSES) then return answer_only('TAKEN') end

local function field_of(class, domain, connector, ip, user)
  return table.concat({ ROW_LETTERS[class], domain, connector, ip, user }, '\t')
end

-- Whether a domain of unknown class is an accepted domain, itself or below one with subdomains.
local function is_accepted(domain)
  local name, is_itself = domain, true
  while name ~= '' do
    local entry = redis.call('HGET', domains_key, name)
    if entry and (is_itself or string.match(entry, '^%l*s')) then return true end
    name, is_itself = string.match(name, '%.(.*)$') or '', false
  end
  return false
end

-- What is added to the totals, by class, and to the minutes, by class and connector in the order of `minute_rows`.
local totals, minutes, minute_rows = {}, {}, {}

local function add_to(sums, key, numbers)
  local sum = sums[key] or { 0, 0, 0, 0, 0, 0, 0, 0 }
  for at = 1, 8 do sum[at] = sum[at] + numbers[at] end
  sums[key] = sum
end

local function add_total(class, connector, numbers)
  add_to(totals, class, numbers)
  local row = class .. '\t' .. connector
  if not minutes[row] then minute_rows[#minute_rows + 1] = row end
  add_to(minutes, row, numbers)
end

for class, text, connector in string.gmatch(ARGV[6], '([^\t\n]+)\t([^\t\n]*)\t([^\n]*)') do
  add_total(class, connector, numbers_of(text))
end

local sources = {}
for class, text, domain, connector, ip, user in
  string.gmatch(ARGV[7], '([^\t\n]+)\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)')
do
  local numbers = numbers_of(text)
  if class == UNKNOWN and is_accepted(domain) then
    add_total(PASSING, connector, numbers)
  else
    if class == UNKNOWN then class = USUAL end
    add_total(class, connector, numbers)
    sources[#sources + 1] = { class, domain, connector, ip, user, numbers = numbers }
  end
end

-- What mail shows for the first time on this day.
local news = {}
local NEWS_LETTERS = { domains = 'd', addresses = 'a' }

local function note(contents, kind, value)
  if value == OTHER or contents[kind][value] then return end
  contents[kind][value] = true
  if contents.is_told and NEWS_LETTERS[kind] and value ~= '' then news[#news + 1] = NEWS_LETTERS[kind] .. value end
  contents.distinct[kind] = contents.distinct[kind] + 1
end

local function note_row(contents, field)
  local domain, _, ip, user = string.match(field, '^' .. ANY_ROW .. '\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$')
  if not domain then return end
  contents.fields[field] = true
  contents.rows = contents.rows + 1
  note(contents, 'domains', domain)
  note(contents, 'addresses', ip)
  note(contents, 'users', user)
end

-- Rows and distinct values of a report.
local function contents_of(fields)
  local contents = {
    fields = {}, rows = 0,
    domains = {}, addresses = {}, users = {},
    distinct = { domains = 0, addresses = 0, users = 0 },
  }
  for _, field in ipairs(fields) do note_row(contents, field) end
  return contents
end

-- Some classes may use half of a bound.
local function share(class, most)
  if HALF[class] then return math.floor(most / 2) end
  return most
end

local function has_room(contents, kind, value, most)
  return contents[kind][value] or contents.distinct[kind] < most
end

-- The row for a source: its own, that of its domain, of its connector, or of all others; the first that exists or has room.
local function row_for(contents, source)
  local class, domain, connector, ip, user = unpack(source)
  if domain ~= OTHER and has_room(contents, 'domains', domain, share(class, MOST_DOMAINS)) then
    local own = field_of(class, domain, connector, ip, user)
    local of_domain = field_of(class, domain, connector, OTHER, OTHER)
    if contents.fields[own] then return own end
    if
      contents.rows < share(class, MOST_ROWS)
      and has_room(contents, 'addresses', ip, share(class, MOST_ADDRESSES))
      and has_room(contents, 'users', user, share(class, MOST_USERS))
    then
      return own
    end
    if contents.fields[of_domain] or contents.rows < share(class, MOST_DOMAIN_ROWS) then return of_domain end
  end
  local of_connector = field_of(class, OTHER, connector, OTHER, OTHER)
  if contents.fields[of_connector] or contents.rows < share(class, MOST_CONNECTOR_ROWS) then return of_connector end
  return field_of(class, OTHER, OTHER, OTHER, OTHER)
end

-- The fields and values to set in a report, and the domains without their own row there. is_told: what is new there is
-- among the news.
local function with_sources(key, is_told)
  if #sources == 0 and ARGV[8] == '' then return {}, {} end
  local own = {}
  for at, source in ipairs(sources) do own[at] = field_of(unpack(source)) end
  local known = #own > 0 and redis.call('HMGET', key, unpack(own)) or {}
  local is_new = ARGV[8] ~= ''
  for at = 1, #own do is_new = is_new or not known[at] end
  -- Read only if there is something new.
  local contents = is_new and contents_of(redis.call('HKEYS', key))
  if contents then contents.is_told = is_told end

  local values, order, others = {}, {}, {}
  for at, source in ipairs(sources) do
    local field = own[at]
    if not known[at] then
      field = row_for(contents, source)
      if not contents.fields[field] then note_row(contents, field) end
      local domain = source[2]
      if domain ~= OTHER and not contents.domains[domain] then others[#others + 1] = domain end
    end
    if values[field] == nil then
      order[#order + 1] = field
      values[field] = redis.call('HGET', key, field)
    end
    values[field] = added(values[field], source.numbers, first, last)
  end
  for name in string.gmatch(ARGV[8], '%S+') do
    if not contents.domains[name] then others[#others + 1] = name end
  end

  local fields = {}
  for at, field in ipairs(order) do fields[2 * at - 1], fields[2 * at] = field, values[field] end
  return fields, others
end

local function add_totals()
  local fields = {}
  for class, numbers in pairs(totals) do
    local field = table.concat({ 't', hour % 24, class }, '\t')
    fields[#fields + 1] = field
    fields[#fields + 1] = added(redis.call('HGET', day_key, field), numbers, first, last)
  end
  set_fields(day_key, fields, days_ttl)
end

-- The minutes of a row, `minute eight numbers` each in a line that begins with its line break, with some added.
local function with_minute(text, minute, numbers)
  local start = string.format('\n%d ', minute)
  local from, to, known = string.find(text, start .. '([^\n]*)')
  local line = start .. table.concat(sums_of(known, numbers), ' ')
  if not from then return text .. line end
  return string.sub(text, 1, from - 1) .. line .. string.sub(text, to + 1)
end

-- All of a flush counts in the minute of its first message: it is sent every few seconds.
local function add_minutes()
  local minute = math.floor((first - hour * HOUR) / MINUTE)
  -- The first message may be some seconds outside of the hour of the keys.
  minute = math.max(0, math.min(minute, HOUR / MINUTE - 1))
  local rows = redis.call('HLEN', minutes_key)
  for _, of in ipairs(minute_rows) do
    local row = of
    local known = redis.call('HGET', minutes_key, row)
    if not known and rows >= MOST_MINUTE_ROWS then
      row = string.match(of, '^[^\t]*\t') .. OTHER
      known = redis.call('HGET', minutes_key, row)
    end
    if not known then rows = rows + 1 end
    redis.call('HSET', minutes_key, row, with_minute(known or '', minute, minutes[of]))
  end
  if #minute_rows > 0 then redis.call('PEXPIRE', minutes_key, minutes_ttl) end
end

-- Counts the fields of a hash with a prefix, without the one for all others. Reads the hash once, if a field is new.
local function counter(key, start, others)
  local count
  return function(more)
    if not count then
      count = 0
      for _, field in ipairs(redis.call('HKEYS', key)) do
        if string.sub(field, 1, #start) == start and field ~= others then count = count + 1 end
      end
    end
    count = count + (more or 0)
    return count
  end
end

-- The owners of foreign domains have fields of their own, whatever fills the rows.
local function add_owned()
  local OTHERS = table.concat({ 'o', OTHER, OTHER }, '\t')
  local count = counter(day_key, 'o\t', OTHERS)
  for text, of in string.gmatch(ARGV[11], '([^\t\n]+)\t([^\n]*)') do
    local field = 'o\t' .. of
    local known = redis.call('HGET', day_key, field)
    if not known and field ~= OTHERS then
      if count() < MOST_OWNED then
        count(1)
      else
        field = OTHERS
        known = redis.call('HGET', day_key, field)
      end
    end
    redis.call('HSET', day_key, field, added(known, numbers_of(text), first, last))
  end
end

local function header_from_field(kind, domain, connector)
  return table.concat({ 'h' .. kind, domain, connector }, '\t')
end

local function header_from_row(kind, count, domain, connector)
  local own = header_from_field(kind, domain, connector)
  if redis.call('HEXISTS', day_key, own) == 1 then return own end
  if domain ~= OTHER and count() < MOST_HEADER_FROM then count(1) return own end
  local of_connector = header_from_field(kind, OTHER, connector)
  if redis.call('HEXISTS', day_key, of_connector) == 1 then return of_connector end
  if connector ~= OTHER and count() < MOST_HEADER_FROM_ROWS then count(1) return of_connector end
  return header_from_field(kind, OTHER, OTHER)
end

-- kind: the letter of the class in its fields.
local function add_header_froms(kind, numbers, lines)
  local looked, mismatched = string.match(numbers, '^(%d+) (%d+)$')
  local of_hour = 'l' .. kind .. '\t' .. hour % 24
  local sums = numbers_of(redis.call('HGET', day_key, of_hour))
  redis.call('HSET', day_key, of_hour,
    string.format('%.0f %.0f', (sums[1] or 0) + looked, (sums[2] or 0) + mismatched))
  local count = counter(day_key, 'h' .. kind .. '\t', header_from_field(kind, OTHER, OTHER))
  for number, domain, connector in string.gmatch(lines, '(%d+)\t([^\t\n]*)\t([^\n]*)') do
    local row = header_from_row(kind, count, domain, connector)
    local messages = (redis.call('HGET', day_key, row) or 0) + number
    redis.call('HSET', day_key, row, string.format('%.0f', messages))
  end
  -- The day may have no other field.
  redis.call('PEXPIRE', day_key, days_ttl)
end

local function note_connectors()
  local fields = {}
  local room = MOST_CONNECTORS - redis.call('HLEN', seen_key)
  for name, expires in string.gmatch(ARGV[9], '([^\t\n]+)\t(%d+)') do
    local known = redis.call('HGET', seen_key, name)
    if known or room > 0 then
      if not known then room = room - 1 end
      local seen = numbers_of(known)
      fields[#fields + 1] = name
      fields[#fields + 1] =
        string.format('%.0f %.0f %s', seen[1] or first, math.max(seen[2] or last, last), expires)
    end
  end
  set_fields(seen_key, fields, seen_ttl)
end

-- A sample without a Message-ID, of mail refused before DATA, is replaced by the next with one.
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
  for class, domain, connector, ip, user, sample in
    string.gmatch(ARGV[10], '([^\t\n]+)\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)\t([^\n]*)')
  do
    local field = field_of(class, domain, connector, ip, user)
    local text = redis.call('HGET', samples_key, field)
    local new = with_sample(text, sample)
    if new and (text or redis.call('HLEN', samples_key) < share(class, MOST_SAMPLED)) then
      redis.call('HSET', samples_key, field, new)
      local message_id = string.match(sample, '^[^\t]*')
      if message_id ~= '' then news[#news + 1] = 'm' .. message_id end
      redis.call('PEXPIRE', samples_key, days_ttl)
    end
  end
end

local fields, others = with_sources(hour_key)
set_fields(hour_key, fields, hours_ttl)
add_names(hour_others_key, others, hours_ttl)
fields, others = with_sources(day_key, true)
set_fields(day_key, fields, days_ttl)
add_names(day_others_key, others, days_ttl)
add_totals()
add_minutes()
add_owned()
for at = 12, #ARGV, 3 do add_header_froms(ARGV[at], ARGV[at + 1], ARGV[at + 2]) end
note_connectors()
add_samples()
table.insert(news, 1, answer_only('TAKEN'))
return table.concat(news, '\n')
