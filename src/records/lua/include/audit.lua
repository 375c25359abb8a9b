-- Audit trails: lists that are only ever added to and keep entries for 365 days. A list, since a stream would take 4 KB
-- for the short trail of an idle tenant.
--
-- An entry is one line of fields joined by tabs: when (ms), subject (empty: the tenant of the key), what, from, to,
-- OS user, Redis user, note.
--
-- @include store/clock
-- @include store/key
local AUDIT_MS = 365 * 86400000
-- Old entries that one new entry removes at most.
local MOST_TRIMMED = 20

local function one_line(text)
  return (string.gsub(text, '[\t\r\n]', ' '))
end

-- Adds a line as audit() returned it.
local function keep_line(trail_key, line)
  redis.call('RPUSH', trail_key, line)
  redis.call('PEXPIRE', trail_key, AUDIT_MS)
  local oldest = now_ms() - AUDIT_MS
  for _ = 1, MOST_TRIMMED do
    local first = redis.call('LINDEX', trail_key, 0)
    if not first or (tonumber(string.match(first, '^%d+')) or 0) >= oldest then break end
    redis.call('LPOP', trail_key)
  end
end

-- Adds an entry and publishes it; one process of each Haraka logs it. actor: OS user, Redis user and note, joined by
-- tabs; subject: tenant, case, or tenant/name of a connector; from, to: what it was and is, or ''. Returns the line.
local function audit(trail_key, actor, subject, what, from, to)
  local os_user, redis_user, note = string.match(actor, '^(.-)\t(.-)\t(.*)$')
  os_user, redis_user, note = os_user or '', redis_user or '', note or ''
  local at = string.format('%.0f', now_ms())
  local line = table.concat({
    at, subject == tag_of(trail_key) and '' or one_line(subject), what, one_line(from), one_line(to),
    one_line(os_user), one_line(redis_user), one_line(note),
  }, '\t')
  keep_line(trail_key, line)
  redis.call('PUBLISH', prefix_of(trail_key) .. 'audit', cjson.encode({
    subject = subject, what = what, from = from, to = to, os = os_user, redis = redis_user, note = note,
  }))
  return line
end
