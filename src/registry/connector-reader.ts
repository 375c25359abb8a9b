import { scanHash } from '../store/scan'
import type { Store } from '../store/store'
import type { Connector } from '../mail/tenant'

/** Few enough to be parsed in one short step of the event loop. */
const BATCH = 200

/** Calls `each` for every connector, in batches; see {@link scanHash}. */
export async function readConnectors(
  store: Store,
  each: (connector: Connector) => void,
): Promise<void> {
  await scanHash(store, store.keys.connectors, BATCH, (id, json) => each(decodeConnector(id, json)))
}

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
