import { readScript } from '../store/script'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'
import { randomToken } from '../records/token'
import { HOUR } from '../reporting/calendar'
import type { Finding } from './rules'

const RAISE = readScript(__dirname, 'raise_unusual')

/** How long a rule must not hold until it has ended, in ms: near its threshold it would begin and end all the time. */
const CALM = HOUR

/** A rule that holds, by its event. */
export interface OpenRule {
  readonly rule: string
  /** Id of the event. */
  readonly event: string
  /** ms since the epoch, server time */
  readonly since: number
}

/** The rules that hold for each tenant, by the events raised. */
export class OpenRules {
  constructor(private readonly store: Store) {}

  /**
   * Raises an event for each rule that begins to hold, and for each that has not held for an hour; once, over all
   * processes.
   *
   * @param findings rules that hold now.
   * @returns number of events raised.
   */
  async update(tenant: string, findings: readonly Finding[]): Promise<number> {
    const { client, keys } = this.store
    // First, so that every open rule is in the index.
    if (findings.length > 0) await client.sadd(keys.unusualIndex, tenant)
    const reply = (await this.store.run(
      RAISE,
      [keys.tenant(tenant), keys.unusual(tenant)],
      [randomToken(), CALM, JSON.stringify(findings)],
    )) as [raised: number, open: number] | null
    const [raised, open] = reply ?? [0, 0]
    if (open === 0) await this.takeOutOfIndex(tenant)
    return raised
  }

  /** The tenants with a rule that holds or held recently. */
  async tenants(): Promise<Set<string>> {
    const tenants = new Set<string>()
    for await (const batch of scanSet(this.store, this.store.keys.unusualIndex)) {
      for (const tenant of batch) tenants.add(tenant)
    }
    return tenants
  }

  /** Whether a tenant may have an open rule. */
  async has(tenant: string): Promise<boolean> {
    return (await this.store.client.sismember(this.store.keys.unusualIndex, tenant)) === 1
  }

  /** The open rules of a tenant. */
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
    // A rule may have begun at this moment: add it again.
    if (await client.exists(keys.unusual(tenant))) {
      await client.sadd(keys.unusualIndex, tenant)
    }
  }
}
