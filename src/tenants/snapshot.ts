import type { Scope } from '../restriction/restriction'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { scanHash } from '../store/scan'
import type { Mode } from '../mode'
import { parseFlags } from './packing'

const SNAPSHOT = readScript(__dirname, 'snapshot')

/** Longer lists of accepted domains are read in pieces: one HGETALL of 100,000 holds Redis for 35 ms. */
const LONGEST_WHOLE = 1000
const PIECE = 1000
const ATTEMPTS = 3

/** What a process knows of a tenant. */
export interface Snapshot {
  readonly tenant: string
  readonly domainsToken: string
  readonly stateToken: string
  /** The tenant's own mode; `undefined`: the default counts. */
  readonly mode: Mode | undefined
  /** `undefined`: not restricted. */
  readonly restricted: Scope | undefined
  /** Who restricted it; empty where it is not restricted. */
  readonly restrictedBy: string
  /** Accepted domain → whether the names below it count too. */
  readonly domains: ReadonlyMap<string, boolean>
}

/** A tenant as far as a process knows it; `null`: there is no such tenant; `undefined`: it could not be asked for. */
export type Known = Snapshot | null | undefined

/**
 * The accepted domain of the tenant that covers a name: the name itself, or a parent with `subdomains`.
 *
 * @param domain lower-case A-labels.
 */
export function acceptedDomainOf(snapshot: Snapshot, domain: string): string | undefined {
  const { domains } = snapshot
  if (domains.has(domain)) return domain
  for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
    const parent = domain.slice(dot + 1)
    if (domains.get(parent) === true) return parent
  }
  return undefined
}

/**
 * Reads a tenant; `undefined`: there is no such tenant.
 *
 * @param known what is known of it already: the list of its domains is only read where it has changed.
 * @throws where Redis gave no answer.
 */
export async function readSnapshot(
  store: Store,
  tenant: string,
  known: Snapshot | undefined,
): Promise<Snapshot | undefined> {
  for (let attempt = 1; ; attempt++) {
    const head = await readHead(store, tenant, known)
    if (head === undefined) return undefined
    if (typeof head.list !== 'string') return head.snapshot(unpackDomains(head.list))
    if (head.list === 'same' && known) return head.snapshot(known.domains)
    const domains = new Map<string, boolean>()
    await scanHash(store, store.keys.domains(tenant), PIECE, (domain, packed) =>
      domains.set(domain, parseFlags(packed).subdomains),
    )
    const token = await store.client.hget(store.keys.tenant(tenant), 'domains')
    // A list that changes all the time is taken as it is: under its older token, charges answer STALE and look for
    // themselves.
    if (token === head.domainsToken || attempt === ATTEMPTS) return head.snapshot(domains)
  }
}

interface Head {
  readonly domainsToken: string
  readonly list: 'same' | 'long' | readonly string[]
  snapshot(domains: ReadonlyMap<string, boolean>): Snapshot
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
    [known?.domainsToken ?? '', LONGEST_WHOLE],
  )) as [string, string, string, string, string, Head['list']] | null
  if (reply === null) return undefined
  const [domainsToken, stateToken, mode, scope, by, list] = reply
  return {
    domainsToken,
    list,
    snapshot: (domains) => ({
      tenant,
      domainsToken,
      stateToken,
      mode: mode === '' ? undefined : (mode as Mode),
      restricted: scope === '' ? undefined : (scope as Scope),
      restrictedBy: by,
      domains,
    }),
  }
}

function unpackDomains(list: readonly string[]): Map<string, boolean> {
  const domains = new Map<string, boolean>()
  for (let at = 0; at + 1 < list.length; at += 2) {
    domains.set(list[at]!, parseFlags(list[at + 1]!).subdomains)
  }
  return domains
}
