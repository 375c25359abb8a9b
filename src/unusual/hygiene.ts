import { DAY } from '../reporting/calendar'
import type { ConnectorUse } from '../reporting/reader'
import { connectorId } from '../mail/identities'
import type { Connector } from '../mail/tenant'
import { counted, date } from './words'

/** A connector that nobody has used for so long is a door that nobody watches. */
const UNUSED = 90 * DAY
/** A new one may wait so long for its first mail. */
const NEVER_USED = 30 * DAY
/** One that is refused for so long can go. */
const REFUSED = 30 * DAY
/** How long before its end a certificate is spoken of. */
const EXPIRES = 30 * DAY

/** Something about a connector that should be tidied up before it does harm. */
export interface Untidy {
  readonly what:
    'never_used' | 'unused' | 'disabled' | 'blocked' | 'certificate_expires' | 'certificate_expired'
  /** `tenant/name` */
  readonly connector: string
  /** For people: one sentence, and what to do. */
  readonly words: string
  /** Since when it is so; of a certificate, when it ends. ms since the epoch. */
  readonly at: number
}

/** When the connectors of a tenant were used, as far as that is known. */
export interface Use {
  /** ms, server time */
  readonly now: number
  /** From when on it is known, in ms. */
  readonly knownSince: number
  /** By the name within the tenant. */
  readonly seen: ReadonlyMap<string, ConnectorUse>
}

/** What is untidy about the connectors of a tenant, each with one thing at most. */
export function findUntidy(connectors: readonly Connector[], use: Use): Untidy[] {
  return connectors.flatMap((connector) => {
    const seen = use.seen.get(connector.name)
    const found = refused(connector, use) ?? unused(connector, seen, use) ?? certificate(seen, use)
    return found ? [{ connector: connectorId(connector.tenant, connector.name), ...found }] : []
  })
}

type Found = Omit<Untidy, 'connector'> | undefined | false

/** `false`: it is refused, and that is all there is to say of it. */
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
      words: `the certificate that it last showed has expired on ${date(at)}: its server needs a new one`,
      at,
    }
  }
  const days = Math.floor((at - now) / DAY)
  return {
    what: 'certificate_expires',
    words: `the certificate that it last showed expires in ${counted(days, 'day')}, on ${date(at)}: its server needs a new one`,
    at,
  }
}
