import { scanHash } from '../store/scan'
import type { Store } from '../store/store'
import type { Connector } from '../mail/tenant'

/** Few enough to be parsed in one short step of the event loop. */
const BATCH = 200
/** Of these Redis sends only those of one tenant. */
const BATCH_OF_TENANT = 5000

/** Calls `each` for every connector, in batches; see {@link scanHash}. */
export async function readConnectors(
  store: Store,
  each: (connector: Connector) => void,
): Promise<void> {
  await scanHash(store, store.keys.connectors, BATCH, (id, json) => each(decodeConnector(id, json)))
}

/** The connectors of one tenant, in no order. A connector that is written meanwhile may be missing. */
export async function readConnectorsOf(store: Store, tenant: string): Promise<Connector[]> {
  const found = new Map<string, Connector>()
  await scanHash(
    store,
    store.keys.connectors,
    BATCH_OF_TENANT,
    (id, json) => found.set(id, decodeConnector(id, json)),
    // No character of an id has a meaning in a pattern.
    `${tenant}/*`,
  )
  return [...found.values()]
}

/** Connectors that relay nothing, by id, and the ids of all the others, sorted. */
export interface ConnectorStates {
  readonly stopped: readonly Connector[]
  readonly others: readonly string[]
}

/** Finds the connectors that are blocked or disabled. Of 100,000 the others are not even parsed. */
export async function readConnectorStates(store: Store): Promise<ConnectorStates> {
  const stopped = new Map<string, Connector>()
  const others = new Set<string>()
  await scanHash(store, store.keys.connectors, BATCH, (id, json) => {
    const connector = MAY_BE_STOPPED.test(json) ? decodeConnector(id, json) : undefined
    if (connector?.blocked || connector?.enabled === false) stopped.set(id, connector)
    else others.add(id)
  })
  const byId = [...stopped].sort(([a], [b]) => (a < b ? -1 : 1))
  return { stopped: byId.map(([, connector]) => connector), others: [...others].sort() }
}

/** In the JSON of every connector that is blocked or disabled. */
const MAY_BE_STOPPED = /"enabled":false|"blocked":\{/

/** Reads some connectors by their ids `tenant/name`; `undefined`: there is none. */
export async function readSomeConnectors(
  store: Store,
  ids: readonly string[],
): Promise<(readonly [string, Connector | undefined])[]> {
  if (ids.length === 0) return []
  const values = await store.client.hmget(store.keys.connectors, ...ids)
  return ids.map((id, at) => {
    const json = values[at]
    return [id, json ? decodeConnector(id, json) : undefined] as const
  })
}

/** Reads a connector as the registry packs it. */
export function decodeConnector(id: string, json: string): Connector {
  const slash = id.indexOf('/')
  const { changedAt, ip, cert, certSha256, auth, enabled, addedAt, addedBy, blocked } = JSON.parse(
    json,
  ) as Packed
  return {
    tenant: id.slice(0, slash),
    name: id.slice(slash + 1),
    ip: lean(ip),
    cert: lean(cert),
    certSha256: lean(certSha256),
    auth: lean(auth),
    enabled,
    addedAt,
    addedBy,
    ...(changedAt === undefined ? {} : { changedAt }),
    ...(blocked ? { blocked } : {}),
  }
}

type Packed = Omit<Connector, 'tenant' | 'name'>

const NONE: readonly string[] = Object.freeze([])

/** One empty list for all: of 100,000 connectors most have one kind of identity. */
function lean(list: readonly string[]): readonly string[] {
  return list.length === 0 ? NONE : list
}
