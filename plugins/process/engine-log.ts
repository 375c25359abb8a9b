import type { PublishedEntry } from '../../src/audit/follow'
import { shortTime } from '../../src/base/time'
import type { Snapshot } from '../../src/directory/snapshot'
import type { KnownPause } from '../../src/enforcement/known-pause'
import { connectorId } from '../../src/mail/identities'
import { modeInEffect } from '../../src/mail/mode'
import type { Connector } from '../../src/mail/tenant'
import type { Config } from '../../src/process/config'
import type { EngineEvents } from '../../src/process/engine'
import type { Alert, MeterFacts, WentBack } from '../../src/records/event'
import type { Plugin } from '../kit/haraka'
import { logTextOnce } from '../kit/log'
import type { RedisTroubles } from '../kit/redis-troubles'

/** Writes what an engine reports to Haraka's log. */
export function engineLog(
  plugin: Plugin,
  troubles: RedisTroubles,
  config: () => Config,
): EngineEvents {
  const errors = logTextOnce((line) => plugin.logerror(line))
  const critical = logTextOnce((line) => plugin.logcrit(line))
  return {
    onReady: (connectors) =>
      plugin.lognotice('ready', { connectors, mode: modeInEffect(config().main, undefined) }),
    onRestriction: (_before, now) => logRestriction(plugin, now),
    onPutBack: ({ subject, what, case: opened }) =>
      plugin.logwarn(`${what}-put-back`, { tenant: subject, ...(opened && { case: opened }) }),
    onConnectorBlock: (now) => logConnectorBlock(plugin, now),
    onUnusable: (message) => critical.say(message, message),
    onUsableAgain: () =>
      plugin.lognotice('registry accepted; counting of unregistered mail resumed'),
    onError: (message) => troubles.tell('background', message),
    onRedisError: (message) => troubles.tell('connection', message),
    onAlert: (alert) => logAlert(plugin, alert),
    onWentBack: (facts) => logWentBack(plugin, facts),
    onDrop: (reason) => errors.say(reason, `not refunded, not indexed or not recorded: ${reason}`),
  }
}

/** The process in which a tenant tripped has logged that. */
function logRestriction(plugin: Plugin, now: Snapshot): void {
  const { tenant } = now
  if (now.restricted === undefined) {
    plugin.logwarn('unblocked', { tenant })
  } else if (now.restrictedBy !== 'automatic') {
    plugin.logwarn('blocked', { tenant, scope: now.restricted, by: now.restrictedBy })
  }
}

function logConnectorBlock(plugin: Plugin, { tenant, name, blocked }: Connector): void {
  const who = { tenant, connector: connectorId(tenant, name) }
  if (!blocked) plugin.logwarn('connector-unblocked', who)
  else plugin.logwarn('connector-blocked', { ...who, by: blocked.by, reason: blocked.reason })
}

/** Logged by every process. */
export function logPause(
  plugin: Plugin,
  { main: { override } }: Config,
  { inEffect, change }: KnownPause,
): void {
  if (!inEffect) {
    const { by, reason } = change?.state === 'resumed' ? change : { by: '', reason: 'it has ended' }
    plugin.logwarn('enforcement-resumed', { ...(by && { by }), reason })
    return
  }
  const { by, reason, everything } = change!
  plugin.logwarn('enforcement-paused', {
    ...{ until: shortTime(inEffect.until), by, reason },
    ...(everything && { everything }),
    ...(override && { 'no-effect': `[main] override=${override}` }),
  })
}

/** Logged by the process that has put the alert into the stream. */
export function logAlert(plugin: Plugin, alert: Alert): void {
  const { id, kind, severity, tenant, count, title, resolves, facts } = alert
  const line = {
    ...{ kind, severity, ...(tenant === '' ? {} : { tenant }), title, id },
    ...meterOf(facts),
    ...(alert.alert === id ? {} : { alert: alert.alert, count }),
    ...(resolves === undefined ? {} : { resolves }),
  }
  const isGrave = severity === 'High' || severity === 'Medium'
  // Redis itself needs a person, and may not deliver alerts.
  if ((kind === 'went_back' || kind === 'redis_trouble') && severity === 'High')
    plugin.logcrit('alert', line)
  else if (isGrave) plugin.logwarn('alert', line)
  else plugin.lognotice('alert', line)
}

function logWentBack(plugin: Plugin, { from, to, putBack }: WentBack): void {
  const { count, subjects } = putBack
  const span = { ...(from !== 0 && { from: shortTime(from) }), to: shortTime(to) }
  plugin.logwarn('redis-went-back', { ...span, 'put-back': count, of: subjects.join(',') })
}

function meterOf(facts: Alert['facts']): { meter?: unknown } {
  const of = ('meter' in facts ? facts : facts['trigger']) as MeterFacts | undefined
  return of?.meter === undefined ? {} : { meter: of.meter }
}

/** An entry of an audit trail; logged by the leading process of each Haraka. */
export function logAudit(plugin: Plugin, entry: PublishedEntry): void {
  const { subject, what, ...more } = entry
  const said = Object.entries(more).filter(([, text]) => text !== '')
  plugin.lognotice('audit', { subject, what, ...Object.fromEntries(said) })
}
