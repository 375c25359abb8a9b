import { mapLimited } from '../base/limiter'
import { CLASSES, KNOWN_CLASSES } from '../mail/classes'
import { readConnectorsOf } from '../registry/connector-reader'
import { DAY } from '../reporting/calendar'
import { ReportReader, type HourReport } from '../reporting/reader'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import type { Removal } from '../tenants-file/report'

/** Tenants whose reports are read at a time. */
const AT_ONCE = 8
/** A tenant with mail in this time is in use, in ms. */
const IN_USE = 7 * DAY

/** What a removal takes from one tenant. */
export interface TenantLoss {
  readonly id: string
  /** The tenant itself goes. */
  readonly whole: boolean
  readonly domains: number
  readonly connectors: number
  /** Recipients of registered mail in the last day, which would be unregistered from then on, or nobody's. */
  readonly recipients: number
  /** It had mail in the last seven days. */
  readonly inUse: boolean
}

/** What a removal takes away, for a person who is asked about it. */
export interface Loss {
  /** Those in use first, those with the most mail first of all. */
  readonly tenants: readonly TenantLoss[]
  readonly domains: number
  readonly connectors: number
  readonly recipients: number
}

/** Reads what a removal takes away, and the mail that it concerns. */
export async function lossOf(
  store: Store,
  { tenants, domains, connectors }: Removal,
): Promise<Loss> {
  const now = await serverTime(store.client)
  const reader = new ReportReader(store)
  const whole = new Set(tenants)
  const ids = [...new Set([...tenants, ...domains.keys(), ...connectors.keys()])]
  const losses = await mapLimited(ids, AT_ONCE, async (id): Promise<TenantLoss> => {
    const hours = await reader.hours(id, now - IN_USE, now + 1)
    return {
      ...{ id, whole: whole.has(id) },
      ...{ domains: domains.get(id) ?? 0, connectors: connectors.get(id) ?? 0 },
      recipients: registeredIn(hours.filter(({ at }) => at > now - DAY)),
      inUse: hours.length > 0,
    }
  })
  const sum = (of: 'domains' | 'connectors' | 'recipients'): number =>
    losses.reduce((all, each) => all + each[of], 0)
  return {
    tenants: losses.sort(
      (a, b) =>
        Number(b.inUse) - Number(a.inUse) || b.recipients - a.recipients || (a.id < b.id ? -1 : 1),
    ),
    ...{ domains: sum('domains'), connectors: sum('connectors'), recipients: sum('recipients') },
  }
}

/** What the removal of one tenant takes away. */
export async function lossOfTenant(store: Store, id: string): Promise<Loss> {
  const { client, keys } = store
  const [connectors, domains] = await Promise.all([
    readConnectorsOf(store, id),
    client.hlen(keys.domains(id)),
  ])
  return lossOf(store, {
    tenants: [id],
    domains: new Map([[id, domains]]),
    connectors: new Map([[id, connectors.length]]),
  })
}

/** Recipients whose mail passes since its domain is registered. */
function registeredIn(hours: readonly HourReport[]): number {
  const passing = KNOWN_CLASSES.filter((each) => CLASSES[each].passes)
  return hours
    .flatMap((hour) => passing.map((each) => hour[each].accepted))
    .reduce((sum, each) => sum + each, 0)
}
