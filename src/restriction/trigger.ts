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
  }
}
