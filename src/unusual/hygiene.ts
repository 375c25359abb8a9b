import { DAY } from '../reporting/calendar'
import type { ConnectorUse } from '../reporting/reader'
import { connectorId } from '../mail/identities'
import type { Connector } from '../mail/tenant'
import { counted, date } from './words'

/** A connector unused for this long should be removed. */
const UNUSED = 90 * DAY
/** How long a new connector may wait for its first mail. */
const NEVER_USED = 30 * DAY
/** A connector disabled or blocked for this long can be removed. */
const REFUSED = 30 * DAY
/** How long before its expiry a certificate is reported. */
const EXPIRES = 30 * DAY

/** A problem of a connector to fix before it does harm. */
export interface Untidy {
  readonly what:
    'never_used' | 'unused' | 'disabled' | 'blocked' | 'certificate_expires' | 'certificate_expired'
  /** `tenant/name` */
  readonly connector: string
  /** One sentence for people, with what to do. */
  readonly words: string
  /** When it began; of a certificate, when it expires. ms since the epoch */
  readonly at: number
}

/** When the connectors of a tenant were used. */
export interface Use {
  /** ms, server time */
  readonly now: number
  /** When recording of use began, in ms. */
  readonly knownSince: number
  /** Use by name within the tenant. */
  readonly seen: ReadonlyMap<string, ConnectorUse>
}

/** Finds at most one problem for each connector of a tenant. */
export function findUntidy(connectors: readonly Connector[], use: Use): Untidy[] {
  return connectors.flatMap((connector) => {
    const seen = use.seen.get(connector.name)
    const found = refused(connector, use) ?? unused(connector, seen, use) ?? certificate(seen, use)
    return found ? [{ connector: connectorId(connector.tenant, connector.name), ...found }] : []
  })
}

type Found = Omit<Untidy, 'connector'> | undefined | false

/** `false`: it is disabled or blocked, so nothing else is reported. */
function refused(connector: Connector, { now }: Use): Found {
  const { blocked, enabled } = connector
  if (!blocked && enabled) return undefined
  const at = blocked?.since ?? connector.changedAt ?? connector.addedAt
  if (now - at < REFUSED) return false
  return blocked
    ? { what: 'blocked', words: `blocked since ${date(at)}: remove it, or unblock it`, at }
    : { what: 'disabled', words: `disabled since ${date(at)}: remove it, or enable it`, at }
}

function unused({ addedAt }: Connector, seen: ConnectorUse | undefined, use: Use): Found {
  const { now, knownSince } = use
  if (seen) {
    if (now - seen.last < UNUSED) return undefined
    const days = Math.floor((now - seen.last) / DAY)
    return {
      what: 'unused',
      words: `not used for ${days} days, last on ${date(seen.last)}: remove it`,
      at: seen.last,
    }
  }
  const at = Math.max(addedAt, knownSince)
  if (now - at < NEVER_USED) return undefined
  const since =
    at === addedAt ? `it was added on ${date(at)}` : `mail is recorded, from ${date(at)} on`
  return { what: 'never_used', words: `never used since ${since}: remove it`, at }
}

function certificate(seen: ConnectorUse | undefined, { now }: Use): Found {
  const at = seen?.certificateExpires
  if (at === undefined || at - now >= EXPIRES) return undefined
  if (at <= now) {
    return {
      what: 'certificate_expired',
      words: `its last certificate expired on ${date(at)}: its server needs a new one`,
      at,
    }
  }
  const days = Math.floor((at - now) / DAY)
  return {
    what: 'certificate_expires',
    words: `its last certificate expires in ${counted(days, 'day')}, on ${date(at)}: its server needs a new one`,
    at,
  }
}
