import type { Alert, MeterFacts } from '../../src/records/event'
import type { Plugin } from '../kit/haraka'

/** The log line of an alert, written by the process that put it into the stream. */
export function logAlert(plugin: Plugin, alert: Alert): void {
  const { id, kind, severity, tenant, count, title, resolves, facts } = alert
  const line = {
    ...{ kind, severity, ...(tenant === '' ? {} : { tenant }), title, id },
    ...meterOf(facts),
    ...(alert.alert === id ? {} : { alert: alert.alert, count }),
    ...(resolves === undefined ? {} : { resolves }),
  }
  const isGrave = severity === 'High' || severity === 'Medium'
  if (isGrave) plugin.logwarn('alert', line)
  else plugin.lognotice('alert', line)
}

function meterOf(facts: Alert['facts']): { meter?: unknown } {
  const of = ('meter' in facts ? facts : facts['trigger']) as MeterFacts | undefined
  return of?.meter === undefined ? {} : { meter: of.meter }
}
