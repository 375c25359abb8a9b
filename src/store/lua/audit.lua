-- Audit trails: a stream that is only ever added to, for 365 days. Needs clock.
local AUDIT_DAYS = 365

-- Adds an entry, and tells the processes, of which one of each Haraka logs it. actor: OS user, Redis user and note,
-- joined by tabs; subject: tenant, or tenant/name of a connector; from, to: what it was and is, or ''.
local function audit(key, actor, subject, what, from, to)
  local os_user, redis_user, note = string.match(actor, '^(.-)\t(.-)\t(.*)$')
  local now = now_ms()
  local oldest = string.format('%.0f', now - AUDIT_DAYS * 86400000)
  redis.call('XADD', key, 'MINID', '~', oldest, '*', 'subject', subject, 'what', what, 'from', from, 'to', to,
    'os', os_user or '', 'redis', redis_user or '', 'note', note or '')
  redis.call('PEXPIRE', key, AUDIT_DAYS * 86400000)
  local prefix = string.match(key, '^(.*){.-}')
  redis.call('PUBLISH', prefix .. 'audit', cjson.encode({
    subject = subject, what = what, from = from, to = to,
    os = os_user or '', redis = redis_user or '', note = note or '',
  }))
end
