import { Restrictions, type Restriction } from '../allowance/restriction'
import type { Case } from '../cases/case'
import { Cases } from '../cases/cases'
import { mapLimited } from '../base/limiter'
import { connectorId } from '../mail/identities'
import type { Connector, ConnectorBlock } from '../mail/tenant'
import { parseEntry } from '../records/audit-entry'
import { readConnectors, readSomeConnectors } from '../registry/connector-reader'
import { PACE_SPAN, refusedPace } from '../reporting/pace'
import { ReportReader } from '../reporting/reader'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'

/** Restricted tenants, and blocked connectors, of which one reading says more than how many there are. */
const MOST_REFUSED = 200
/** All connectors are looked at if there are at most this many; else those of as many of the latest changes. */
const MOST_CONNECTORS = 1000
/** Read at the same time. */
const PLACES = 50

/** A restricted tenant. */
export interface RestrictedNow {
  readonly restriction: Restriction
  /** `undefined`: its restriction is older than cases. */
  readonly case: Case | undefined
  /** Recipients refused in the last 60 seconds. */
  readonly refused: number
}

/** A blocked connector. */
export interface BlockedNow {
  readonly connector: Connector
  readonly block: ConnectorBlock
  /** As {@link RestrictedNow.refused}. */
  readonly refused: number
}

/** What persons, or exceeded allowances, have stopped. */
export interface RefusedNow {
  /** The newest first. */
  readonly tenants: readonly RestrictedNow[]
  /** Restricted tenants that `tenants` leaves out. */
  readonly moreTenants: number
  /** The newest first. */
  readonly connectors: readonly BlockedNow[]
  /** Only connectors of the latest changes were looked at: this many changes. `undefined`: all connectors were. */
  readonly latestChanges: number | undefined
}

/**
 * Reads what is restricted and blocked now. Costs the same for 100,000 tenants.
 *
 * @throws where Redis gave no answer.
 */
export async function readRefusedNow(store: Store): Promise<RefusedNow> {
  const { client, keys } = store
  const [now, restricted, [, some], blocked] = await Promise.all([
    serverTime(client),
    client.scard(keys.restricted),
    client.sscan(keys.restricted, '0', 'COUNT', MOST_REFUSED),
    readBlocked(store),
  ])
  const restrictions = new Restrictions(store)
  const cases = new Cases(store)
  const reports = new ReportReader(store)
  const minutesOf = (tenant: string) => reports.minutes(tenant, now - PACE_SPAN, now + 1)
  const tenants = await mapLimited(some.slice(0, MOST_REFUSED), PLACES, async (id) => {
    const [restriction, minutes] = await Promise.all([restrictions.get(id), minutesOf(id)])
    if (!restriction) return []
    const record = restriction.case === '' ? undefined : await cases.get(restriction.case)
    return [{ restriction, case: record, refused: refusedPace(minutes, now) }]
  })
  const connectors = await mapLimited(blocked.connectors, PLACES, async (each) => {
    const { tenant, name } = each.connector
    const id = connectorId(tenant, name)
    const minutes = (await minutesOf(tenant)).filter(({ connector }) => connector === id)
    return { ...each, refused: refusedPace(minutes, now) }
  })
  return {
    tenants: tenants.flat().sort((a, b) => b.restriction.since - a.restriction.since),
    moreTenants: Math.max(0, restricted - MOST_REFUSED),
    connectors,
    latestChanges: blocked.latestChanges,
  }
}

type Blocked = Omit<BlockedNow, 'refused'>

/** No index has the blocked ones; each block is a change in the trail of connectors. */
async function readBlocked(
  store: Store,
): Promise<{ readonly connectors: readonly Blocked[]; readonly latestChanges?: number }> {
  const { client, keys } = store
  const found: Blocked[] = []
  const note = (connector: Connector | undefined): void => {
    if (connector?.blocked) found.push({ connector, block: connector.blocked })
  }
  const isSmall = (await client.hlen(keys.connectors)) <= MOST_CONNECTORS
  if (isSmall) await readConnectors(store, note)
  else {
    const lines = await client.lrange(keys.connectorsAudit, -MOST_CONNECTORS, -1)
    const ids = lines.map((line) => parseEntry(line, '').subject).filter((id) => id !== '')
    for (const [, connector] of await readSomeConnectors(store, [...new Set(ids)])) note(connector)
  }
  const connectors = found.sort((a, b) => b.block.since - a.block.since).slice(0, MOST_REFUSED)
  return isSmall ? { connectors } : { connectors, latestChanges: MOST_CONNECTORS }
}
