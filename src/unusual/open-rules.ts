import { readScript } from '../store/script'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'
import { randomToken } from '../records/token'
import { HOUR } from '../reporting/calendar'
import type { Finding } from './rules'

const TELL = readScript(__dirname, 'raise_unusual')

/** A rule that does not hold for so long has ended, in ms: at its number it would begin and end all the time. */
const CALM = HOUR

/** Since when a rule holds. */
export interface OpenRule {
  readonly rule: string
  /** The event that said so. */
  readonly event: string
  /** ms since the epoch, server time */
  readonly since: number
}

/** Which rules hold for which tenants, as it has been told. */
export class OpenRules {
  constructor(private readonly store: Store) {}

  /**
   * Raises an event for each rule that begins to hold, and for each that has not held for an hour: once, over all
   * processes.
   *
   * @param findings what holds now.
   * @returns how many events wait to be put into the stream.
   */
  async tell(tenant: string, findings: readonly Finding[]): Promise<number> {
    const { client, keys } = this.store
    // Before, so that no rule stays open where nobody finds it.
    if (findings.length > 0) await client.sadd(keys.unusualIndex, tenant)
    const reply = (await this.store.run(
      TELL,
      [keys.tenant(tenant), keys.unusual(tenant)],
      [randomToken(), CALM, JSON.stringify(findings)],
    )) as [raised: number, open: number] | null
    const [raised, open] = reply ?? [0, 0]
    if (open === 0) await this.takeOutOfIndex(tenant)
    return raised
  }

  /** The tenants for which a rule holds, or has held until lately. */
  async tenants(): Promise<Set<string>> {
    const tenants = new Set<string>()
    for await (const batch of scanSet(this.store, this.store.keys.unusualIndex)) {
      for (const tenant of batch) tenants.add(tenant)
    }
    return tenants
  }

  /** Whether there may be a rule for a tenant that has to be told to have ended. */
  async has(tenant: string): Promise<boolean> {
    return (await this.store.client.sismember(this.store.keys.unusualIndex, tenant)) === 1
  }

  /** The rules that hold for a tenant, as it has been told. */
  async of(tenant: string): Promise<OpenRule[]> {
    const fields = await this.store.client.hgetall(this.store.keys.unusual(tenant))
    return Object.entries(fields).map(([rule, text]) => {
      const [event = '', since = '0'] = text.split(' ')
      return { rule, event, since: Number(since) }
    })
  }

  private async takeOutOfIndex(tenant: string): Promise<void> {
    const { client, keys } = this.store
    await client.srem(keys.unusualIndex, tenant)
    // One that began in this moment would lose its place: look again.
    if (await client.exists(keys.unusual(tenant))) {
      await client.sadd(keys.unusualIndex, tenant)
    }
  }
}
