import { formatWindow } from './limits'
import { METERS, namedMeter, type NamedMeter } from './meters'

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
  /** Absent: the usual one. */
  readonly meter?: NamedMeter
}

/** Reads the trigger out of fields as the charge script writes them; `undefined`: there is none (placed by hand). */
export function parseTrigger(fields: Readonly<Record<string, string>>): Trigger | undefined {
  if (!fields['window']) return undefined
  const meter = namedMeter(fields['meter'])
  return {
    window: Number(fields['window']),
    limit: Number(fields['limit']),
    used: Number(fields['used']),
    domain: fields['domain'] ?? '',
    connector: fields['connector'] ?? '',
    ip: fields['ip'] ?? '',
    ...(meter && { meter }),
  }
}

/** For people: `300 in 1h reached, from lure.example, connector contoso/web, 192.0.2.7`. */
export function describeTrigger({ limit, window, domain, connector, ip, meter }: Trigger): string {
  const counted = meter && METERS[meter].words.counts
  const parts = [`${limit}${counted ? ` ${counted}` : ''} in ${formatWindow(window)} reached`]
  if (domain) parts.push(`from ${domain}`)
  if (connector) parts.push(`connector ${connector}`)
  if (ip) parts.push(ip)
  return parts.join(', ')
}
