import { METERS, PROVEN_METER } from '../mail/meters'
import type { Mode } from '../mail/mode'
import type { Scope } from '../mail/scope'
import { scanHash } from '../store/scan'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { applyChange, type DomainsChange } from '../registry/domain-changes'
import { HeardChanges } from './heard-changes'
import { parseFlags, type DomainFlags } from '../registry/packing'
import type { Snapshot } from './snapshot'

const SNAPSHOT = readScript(__dirname, 'snapshot')

/** Longer lists of accepted domains are read in batches: one HGETALL of 100,000 holds Redis for 35 ms. */
const LONGEST_WHOLE = 1000
const BATCH = 1000
const ATTEMPTS = 3

/** A snapshot in the hands of who keeps it up to date. */
export interface OwnSnapshot extends Snapshot {
  readonly domains: Map<string, DomainFlags>
}

/** What the reader of a snapshot is told meanwhile. */
export interface News {
  /** Filled as messages arrive, from before the reading on. */
  readonly heard: HeardChanges<DomainsChange>
  /** Resolves when all has been heard that was announced before the call, as far as there is a connection for it. */
  readonly catchUp: () => Promise<unknown>
  /** Called where events of the tenant wait to be put into the stream. */
  readonly onEventsPending: () => void
}

/** Nobody listens. */
const NO_NEWS: News = {
  heard: new HeardChanges(),
  catchUp: () => Promise.resolve(),
  onEventsPending: () => {},
}

/**
 * Reads a tenant; `undefined`: there is no such tenant.
 *
 * @param known what is known of it already: the list of its domains is only read where what was heard since does not
 *   lead to the one that Redis has. It is brought up to date in place.
 * @throws where Redis gave no answer.
 */
export async function readSnapshot(
  store: Store,
  tenant: string,
  known: OwnSnapshot | undefined,
  { heard, catchUp, onEventsPending }: News = NO_NEWS,
): Promise<OwnSnapshot | undefined> {
  for (let attempt = 1; ; attempt++) {
    const head = await readHead(store, tenant, known)
    if (head === undefined) return undefined
    const { list, eventsPending, ...facts } = head
    if (eventsPending) onEventsPending()
    const { domainsToken } = facts
    if (typeof list !== 'string') return upToDate({ ...facts, domains: unpackDomains(list) }, heard)
    if (known) {
      // The answer to a question overtakes the news that is on its way.
      if (!heard.lead(known.domainsToken, domainsToken)) await catchUp()
      if (heard.lead(known.domainsToken, domainsToken)) {
        const { domains, domainsToken: from } = known
        return upToDate({ ...facts, domains, domainsToken: from }, heard)
      }
    }

    const domains = new Map<string, DomainFlags>()
    await scanHash(store, store.keys.domains(tenant), BATCH, (domain, packed) =>
      domains.set(domain, parseFlags(packed)),
    )
    // What has changed meanwhile may be in the list or not. Where all of it was heard, that is mended.
    const token = (await store.client.hget(store.keys.tenant(tenant), 'domains')) ?? ''
    if (!heard.lead(domainsToken, token)) await catchUp()
    // A list that changes all the time, and nobody says how, is taken as it is: under its older token, charges answer
    // STALE and look for themselves.
    if (heard.lead(domainsToken, token) || attempt === ATTEMPTS) {
      return upToDate({ ...facts, domains }, heard)
    }
  }
}

/** Everything of a tenant but the list of its domains. */
type Facts = Omit<OwnSnapshot, 'domains'>

/** Makes in its list the changes that lead on from its token. */
export function upToDate(snapshot: OwnSnapshot, heard: HeardChanges<DomainsChange>): OwnSnapshot {
  let { domainsToken } = snapshot
  for (const change of heard.after(domainsToken)) {
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
    [known?.domainsToken ?? '', LONGEST_WHOLE, METERS[PROVEN_METER].limitsField],
  )) as [string, string, string, string, string, string, number, number, Head['list']] | null
  if (reply === null) return undefined
  const [domainsToken, stateToken, mode, scope, by, openedCase, pending, forwards, list] = reply
  return {
    tenant,
    domainsToken,
    stateToken,
    mode: mode === '' ? undefined : (mode as Mode),
    restricted: scope === '' ? undefined : (scope as Scope),
    restrictedBy: by,
    case: openedCase,
    forwards: forwards === 1,
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
