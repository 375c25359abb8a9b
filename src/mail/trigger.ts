import { formatWindow } from './limits'

/** What crossed which limit. */
export interface Trigger {
  /** ms */
  readonly window: number
  /** recipients */
  readonly limit: number
  /** Recipients that had been counted by then. */
  readonly used: number
  /** The sender domain of the recipient that did not fit. */
  readonly domain: string
  /** `tenant/name`, or empty where the tenant was recognised without a connector. */
  readonly connector: string
  readonly ip: string
  /** Absent: that of unregistered mail. */
  readonly meter?: 'forwarded'
}

/** Reads the trigger out of fields as the charge script writes them; `undefined`: there is none (placed by hand). */
export function parseTrigger(fields: Readonly<Record<string, string>>): Trigger | undefined {
  if (!fields['window']) return undefined
  return {
    window: Number(fields['window']),
    limit: Number(fields['limit']),
    used: Number(fields['used']),
    domain: fields['domain'] ?? '',
    connector: fields['connector'] ?? '',
    ip: fields['ip'] ?? '',
    ...(fields['meter'] === 'forwarded' && { meter: 'forwarded' }),
  }
}

/** For people: `300 in 1h reached, from lure.example, connector contoso/web, 192.0.2.7`. */
export function describeTrigger({ limit, window, domain, connector, ip, meter }: Trigger): string {
  const parts = [`${limit}${meter ? ' forwards' : ''} in ${formatWindow(window)} reached`]
  if (domain) parts.push(`from ${domain}`)
  if (connector) parts.push(`connector ${connector}`)
  if (ip) parts.push(ip)
  return parts.join(', ')
}
