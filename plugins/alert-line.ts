import type { Alert } from '../src/events/event'
import type { Plugin } from './haraka'

/** The log line of an alert, written by the process that put it into the stream. */
export function logAlert(plugin: Plugin, alert: Alert): void {
  const { id, kind, severity, tenant, count, title, resolves, facts } = alert
  const line = {
    ...{ kind, severity, ...(tenant === '' ? {} : { tenant }), title, id },
    ...(isForwarded(facts) || isForwarded(facts['trigger']) ? { meter: 'forwarded' } : {}),
    ...(alert.alert === id ? {} : { alert: alert.alert, count }),
    ...(resolves === undefined ? {} : { resolves }),
  }
  const isGrave = severity === 'High' || severity === 'Medium'
  if (isGrave) plugin.logwarn('alert', line)
  else plugin.lognotice('alert', line)
}

function isForwarded(facts: unknown): boolean {
  return typeof facts === 'object' && (facts as { meter?: unknown } | null)?.meter === 'forwarded'
}
