import { MANY_SPAN } from '../events/many'
import { restrictedField } from '../events/open'
import type { Alert } from '../records/event'
import { batchesOf } from '../base/lists'
import { readScript } from '../store/script'
import { scanHash } from '../store/scan'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { SKIPPED, type Outcome } from './channel'
import { SCHEDULE } from './schedule'

const DECIDE = readScript(__dirname, 'decide_contacts')

/** How often a process looks whether a person has decided, in ms. */
const LOOK = 30_000
const BATCH = 500

/** What a person decides about the contacts of many restricted tenants. */
export type Decision = 'send' | 'drop'

/** A contact that gets no mail about a restriction until a person decides. */
export interface HeldContact {
  /** Id of the `restricted` event. */
  readonly event: string
  readonly tenant: string
  /** When the tenant was restricted, ms since the epoch, server time. */
  readonly since: number
  readonly address: string
}

/**
 * Many restrictions within minutes are rarely many intruders: a limit was set too low. So a contact is mailed only when it
 * is known that its tenant is not one of many; of many only by order of a person.
 */
export class HeldContacts {
  /** @param now Redis's clock, in ms. */
  constructor(
    private readonly store: Store,
    private readonly now = (): Promise<number> => serverTime(store.client),
  ) {}

  /**
   * What happens to the mail to a contact. `undefined`: send it.
   *
   * @throws where Redis gave no answer.
   */
  async unlessMailed({ kind, id, tenant, at, contact }: Alert): Promise<Outcome | undefined> {
    if (kind === 'lifted') return contact === 'held' || contact === 'drop' ? SKIPPED : undefined
    if (kind !== 'restricted') return undefined
    const { client, keys } = this.store
    const [open, held, now] = await Promise.all([
      client.hget(keys.eventsOpen, restrictedField(tenant)),
      client.hget(keys.eventsMany, id),
      this.now(),
    ])
    // It was lifted meanwhile.
    if (open !== id) return SKIPPED
    const decided = held === null ? contact : parseHeld(held).decided
    if (decided === 'send') return undefined
    if (decided === 'drop') return SKIPPED
    const left = decided === 'held' ? LOOK : Date.parse(at) + MANY_SPAN - now
    // A person may decide at any time, also of the first of many.
    return left > 0 ? { kind: 'waiting', ms: Math.min(left, LOOK) } : undefined
  }

  /** The contacts that wait for a decision, the oldest first; what is a day old is mailed no more. */
  async list(): Promise<HeldContact[]> {
    const { store } = this
    const { client, keys } = store
    const since = (await this.now()) - SCHEDULE.patience
    const waiting: Omit<HeldContact, 'address'>[] = []
    await scanHash(store, keys.eventsMany, BATCH, (event, packed) => {
      const { decided, at, tenant } = parseHeld(packed)
      if (decided === 'held' && at > since) waiting.push({ event, tenant, since: at })
    })
    const held: HeldContact[] = []
    for (const batch of batchesOf(waiting, BATCH)) {
      const addresses = await Promise.all(
        batch.map(({ tenant }) => client.hget(keys.tenant(tenant), 'contact')),
      )
      batch.forEach((each, at) => {
        if (addresses[at]) held.push({ ...each, address: addresses[at] })
      })
    }
    return held.sort((a, b) => a.since - b.since)
  }

  /**
   * Decides about these contacts, unless that was done before or their restriction was lifted. Processes follow within half
   * a minute.
   *
   * @returns those that it has decided about.
   */
  async decide(held: readonly HeldContact[], decision: Decision): Promise<HeldContact[]> {
    const decided: HeldContact[] = []
    for (const batch of batchesOf(held, BATCH)) {
      const ids = batch.map(({ event }) => event)
      const reply = await this.store.run(DECIDE, [this.store.keys.eventsMany], [decision, ...ids])
      const done = new Set(reply as string[])
      decided.push(...batch.filter(({ event }) => done.has(event)))
    }
    return decided
  }
}

/** Reads what `events/lua/publish.lua` writes of a restriction among many. */
export function parseHeld(packed: string): { decided: string; at: number; tenant: string } {
  const [, decided = '', at, tenant = ''] = packed.split('\t')
  return { decided, at: Number(at), tenant }
}
