import type { Alert, Event } from '../records/event'
import type { Channel } from './channel'

/** The page of the console for an alert about no tenant. */
const PAGES = {
  many_restricted: 'restricted',
  unattributed: 'unattributed',
  host_missing: 'nodes',
  paused: 'enforcement',
} as const satisfies Partial<Record<Event['kind'], string>>

/**
 * Gives the alerts of a channel a link to their page of the console. It names the tenant or the case, and lets no person in: no
 * text of an attacker and no token is in it.
 *
 * @param publicUrl of the console, without a slash at the end; empty: alerts have no link.
 */
export function withLinks(channel: Channel, publicUrl: () => string): Channel {
  return {
    name: channel.name,
    destination: () => channel.destination(),
    takesJoined: (alert) => channel.takesJoined?.(alert) ?? false,
    deliver: (alert) => channel.deliver(linked(alert, publicUrl())),
  }
}

function linked(alert: Alert, publicUrl: string): Alert {
  return publicUrl === '' ? alert : { ...alert, url: `${publicUrl}/${pageOf(alert)}` }
}

/** Its path: the incident of a tenant; else the page of that kind, or the overview. */
function pageOf({ tenant, kind, facts }: Alert): string {
  if (tenant !== '') {
    const { case: name } = facts
    const subject = typeof name === 'string' && name !== '' ? name : tenant
    return `incidents/${encodeURIComponent(subject)}`
  }
  const { of } = facts
  const about = kind === 'resolved' ? String(of) : kind
  return (PAGES as Readonly<Record<string, string>>)[about] ?? ''
}
