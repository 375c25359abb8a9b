import { toStanding, type StandingRead } from '../allowance/standing'
import { scanHash } from '../store/scan'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { applyChange, type DomainsChange } from '../registry/domain-changes'
import { ChangeBuffer } from './change-buffer'
import { parseFlags, type DomainFlags } from '../registry/formats'
import { markOf } from '../records/token'
import { SETTINGS } from '../registry/tenant-registry'
import { restrictionInForce, settingsInForce, type Snapshot } from './snapshot'

const SNAPSHOT = readScript(__dirname, 'snapshot')

/** Longer lists of accepted domains are read in batches: one HGETALL of 100,000 holds Redis for 35 ms. */
const LONGEST_WHOLE = 1000
const BATCH = 1000
const ATTEMPTS = 3

/** The fields of a tenant's hash in {@link Snapshot.settings}. */
export const CACHED_FIELDS = [...SETTINGS, 'source'] as const

/** A snapshot whose list of domains the cache updates in place. */
export interface OwnSnapshot extends Snapshot {
  readonly domains: Map<string, DomainFlags>
}

/** What happens while a snapshot is read. */
export interface Meanwhile {
  /** Filled as messages arrive, from before reading begins. */
  readonly buffer: ChangeBuffer<DomainsChange>
  /** Resolves when every change published before the call has arrived, if there is a connection for changes. */
  readonly catchUp: () => Promise<unknown>
  /** Called if events of the tenant wait to be put into the stream. */
  readonly onEventsPending: () => void
}

/** For a caller that follows no changes. */
const NOTHING: Meanwhile = {
  buffer: new ChangeBuffer(),
  catchUp: () => Promise.resolve(),
  onEventsPending: () => {},
}

/**
 * Reads a tenant; `undefined`: there is no such tenant.
 *
 * @param known the cached one. Its list of domains is updated in place by the changes that have arrived, and read again
 *   only if these do not lead to the list in Redis.
 * @throws if Redis does not answer.
 */
export async function readSnapshot(
  store: Store,
  tenant: string,
  known: OwnSnapshot | undefined,
  { buffer, catchUp, onEventsPending }: Meanwhile = NOTHING,
): Promise<SnapshotRead | undefined> {
  for (let attempt = 1; ; attempt++) {
    const head = await readHead(store, tenant, known)
    if (head === undefined) return undefined
    const { list, eventsPending, ...facts } = head
    if (eventsPending) onEventsPending()
    const { domainsToken } = facts
    if (typeof list !== 'string')
      return upToDate({ ...facts, domains: unpackDomains(list) }, buffer)
    if (known) {
      // The answer may arrive before changes that were published earlier.
      if (!buffer.connects(known.domainsToken, domainsToken)) await catchUp()
      if (buffer.connects(known.domainsToken, domainsToken)) {
        const { domains, domainsToken: from } = known
        return upToDate({ ...facts, domains, domainsToken: from }, buffer)
      }
    }

    const domains = new Map<string, DomainFlags>()
    await scanHash(store, store.keys.domains(tenant), BATCH, (domain, packed) =>
      domains.set(domain, parseFlags(packed)),
    )
    // The list may hold some of the changes made meanwhile. If all of them have arrived, they are applied to it.
    const token = (await store.client.hget(store.keys.tenant(tenant), 'domains')) ?? ''
    if (!buffer.connects(domainsToken, token)) await catchUp()
    // A list that keeps changing unheard is used as it is: under its older token, charges answer STALE and look up the
    // sender themselves.
    if (buffer.connects(domainsToken, token) || attempt === ATTEMPTS) {
      return upToDate({ ...facts, domains }, buffer)
    }
  }
}

/** A snapshot as Redis holds it, with what tells a lifted restriction from a lost one. */
export interface SnapshotRead extends OwnSnapshot {
  readonly standing: StandingRead
}

/** Everything of a tenant but the list of its domains. */
type Facts = Omit<SnapshotRead, 'domains'>

/** Applies the changes that follow its token to its list. */
export function upToDate<T extends OwnSnapshot>(
  snapshot: T,
  buffer: ChangeBuffer<DomainsChange>,
): T {
  let { domainsToken } = snapshot
  for (const change of buffer.after(domainsToken)) {
    applyChange(snapshot.domains, change)
    domainsToken = change.token
  }
  return { ...snapshot, domainsToken }
}

interface Head extends Facts {
  readonly eventsPending: boolean
  readonly list: 'same' | 'long' | readonly string[]
}

async function readHead(
  store: Store,
  tenant: string,
  known: Snapshot | undefined,
): Promise<Head | undefined> {
  const { keys } = store
  const reply = (await store.run(
    SNAPSHOT,
    [keys.tenant(tenant), keys.domains(tenant), keys.restriction(tenant)],
    [known?.domainsToken ?? '', LONGEST_WHOLE, ...CACHED_FIELDS],
  )) as [string, string, string, string, number, string[], string[], Head['list']] | null
  if (reply === null) return undefined
  const [domainsToken, stateToken, created, lifted, pending, restriction, values, list] = reply
  const settings: Record<string, string> = {}
  CACHED_FIELDS.forEach((field, at) => {
    if (values[at]) settings[field] = values[at]
  })
  const standing = toStanding(created, lifted, markOf(domainsToken, stateToken), restriction)
  return {
    ...{ tenant, domainsToken, stateToken, created, standing },
    ...settingsInForce(settings),
    ...restrictionInForce(standing.restriction),
    eventsPending: pending === 1,
    list,
  }
}

function unpackDomains(list: readonly string[]): Map<string, DomainFlags> {
  const domains = new Map<string, DomainFlags>()
  for (let at = 0; at + 1 < list.length; at += 2) {
    domains.set(list[at]!, parseFlags(list[at + 1]!))
  }
  return domains
}
