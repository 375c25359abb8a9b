import { retryConcurrent } from '../../base/retry'
import { batchesOf } from '../../base/lists'
import { scanHash } from '../../store/scan'
import { readScript } from '../../store/script'
import type { Store } from '../../store/store'
import { readConnectors } from '../connector-reader'
import { describeIdentity } from '../connector-audit'
import { ConnectorRegistry } from '../connector-registry'
import { connectorId } from '../../mail/identities'
import { forAPerson, repairable, type Inconsistency } from './inconsistency'
import { identityFields } from '../formats'

const IDENTITIES = readScript(__dirname, 'connectors_identities')
const SCAN_PIECE = 1000
const BATCH = 500

/** Checks connectors against tenants, and the table of identities against connectors. */
export async function findInConnectors(
  store: Store,
  tenants: ReadonlySet<string>,
): Promise<Inconsistency[]> {
  const { connectors, holders, table } = await readBoth(store)
  const orphans = [...connectors]
    .filter(([, tenant]) => !tenants.has(tenant))
    .map(([id, tenant]) =>
      repairable(
        'connector-without-tenant',
        { tenant, subject: id },
        `connector ${id} is there, but no tenant ${tenant}`,
        'removed',
      ),
    )
  const doubled = [...holders]
    .filter(([, ids]) => ids.length > 1)
    .map(([identity, ids]) =>
      forAPerson(
        'identity-doubled',
        { subject: identity },
        `${describeIdentity(identity)} belongs to more than one connector: ${ids.join(', ')}`,
        'remove all but one of them: tenantctl connector remove',
      ),
    )
  const wrong = [...corrections(holders, table)].map(([identity, id]) =>
    repairable(
      'identity-table',
      { subject: identity },
      id === ''
        ? `the table of identities gives ${describeIdentity(identity)} to ${table.get(identity)}, which does not have it`
        : `${describeIdentity(identity)} of connector ${id} is not in the table of identities`,
      id === '' ? 'taken out' : 'entered',
    ),
  )
  return [...orphans, ...doubled, ...wrong]
}

export async function removeOrphanConnectors(
  store: Store,
  found: readonly Inconsistency[],
): Promise<void> {
  const registry = new ConnectorRegistry(store)
  // Looks whether the tenant is there before it removes anything.
  for (const tenant of new Set(found.map((each) => each.tenant))) await registry.removeAll(tenant)
}

/** Corrects the table of identities. Starts over after a concurrent change of connectors. */
export async function repairIdentities(store: Store): Promise<void> {
  const { keys, client } = store
  await retryConcurrent('connectors were', async () => {
    const token = (await client.get(keys.connectorsToken)) ?? ''
    const { holders, table } = await readBoth(store)
    let isWritten = true
    for (const batch of batchesOf([...corrections(holders, table)], BATCH)) {
      const reply = await store.run(
        IDENTITIES,
        [keys.connectorIdentities, keys.connectorsToken],
        [token, ...batch.flat()],
      )
      isWritten &&= reply === 1
    }
    return isWritten || undefined
  })
}

interface Both {
  /** `tenant/name` → tenant */
  readonly connectors: Map<string, string>
  /** Identity → the connectors that say they have it. */
  readonly holders: Map<string, string[]>
  /** Identity → its connector, as the table says. */
  readonly table: Map<string, string>
}

async function readBoth(store: Store): Promise<Both> {
  const connectors = new Map<string, string>()
  const held = new Map<string, Set<string>>()
  await readConnectors(store, (connector) => {
    const id = connectorId(connector.tenant, connector.name)
    connectors.set(id, connector.tenant)
    for (const identity of identityFields(connector)) {
      held.set(identity, (held.get(identity) ?? new Set()).add(id))
    }
  })
  const table = new Map<string, string>()
  await scanHash(store, store.keys.connectorIdentities, SCAN_PIECE, (identity, id) =>
    table.set(identity, id),
  )
  const holders = new Map([...held].map(([identity, ids]) => [identity, [...ids].sort()] as const))
  return { connectors, holders, table }
}

/** Corrections of the table: the connector that has an identity; empty: none. */
function corrections(
  holders: ReadonlyMap<string, readonly string[]>,
  table: ReadonlyMap<string, string>,
): Map<string, string> {
  const wanted = new Map<string, string>()
  for (const [identity, ids] of holders) {
    if (!ids.includes(table.get(identity) ?? '')) wanted.set(identity, ids[0]!)
  }
  for (const identity of table.keys()) if (!holders.has(identity)) wanted.set(identity, '')
  return wanted
}
