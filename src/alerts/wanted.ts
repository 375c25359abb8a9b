import { SEVERITIES, type Alert, type Severity } from '../records/event'
import type { ChannelSettings } from './channel-settings'
import { FORMATS } from './formats'

/** Whether a channel is to be told of an alert. */
export function isWanted(settings: ChannelSettings, alert: Alert): boolean {
  const { kinds } = settings
  if (alert.kind === 'test' || endsThere(settings, alert)) return true
  const enough = SEVERITIES.indexOf(alert.severity) >= SEVERITIES.indexOf(leastSeverity(settings))
  return enough && (kinds.length === 0 || kinds.includes(alert.kind))
}

/** Whether an alert ends, at the receiver, what another one has begun. */
export function endsThere({ url, format }: ChannelSettings, { resolves }: Alert): boolean {
  return url !== '' && FORMATS[format].resolves && Boolean(resolves)
}

/** The severity from which on a channel is told of alerts. */
export function leastSeverity({ url, format, minSeverity }: ChannelSettings): Severity {
  return minSeverity ?? (url !== '' && FORMATS[format].pages ? 'High' : 'Informational')
}
