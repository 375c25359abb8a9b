import {
  CLASSES,
  SOURCE_CLASSES,
  USUAL_LOOKED,
  type KnownClass,
  type LookedClass,
  type SourceClass,
} from '../mail/classes'
import type { Counts } from './counts'

/** The value of a row for all sources without their own. */
export const OTHER = '(other)'

/** A sender of mail. Each field may be {@link OTHER}. */
export interface Source {
  /** Sender domain, lower-case A-labels; empty: not a DNS name. */
  readonly domain: string
  /** `tenant/name`; empty: none matched. */
  readonly connector: string
  /** IPv4 address, or the /64 of an IPv6 address. */
  readonly ip: string
  /** AUTH user; empty: none. */
  readonly user: string
}

/** A row of a report: mail of one class from one source. */
export interface Row extends Source {
  readonly class: SourceClass
  readonly counts: Counts
}

/** The field of a total, in the hash of a day only. */
export function totalField(hour: number, of: KnownClass): string {
  return `t\t${hour}\t${CLASSES[of].letter}`
}

const CLASS_OF: ReadonlyMap<string | undefined, SourceClass> = new Map(
  SOURCE_CLASSES.map((each) => [CLASSES[each].rowLetter, each]),
)

/** Reads `LETTER<tab>DOMAIN<tab>CONNECTOR<tab>IP<tab>USER`, a field of an hour or a day; `undefined`: another field. */
export function readSource(field: string): (Source & { class: SourceClass }) | undefined {
  const [letter, domain, connector, ip, user] = field.split('\t')
  const sourceClass = CLASS_OF.get(letter)
  if (sourceClass === undefined || user === undefined) return undefined
  return { class: sourceClass, domain: domain!, connector: connector!, ip: ip!, user }
}

/** A foreign domain with the tenant that owned it then; or both are {@link OTHER}. */
export interface Owned {
  readonly domain: string
  /** Id of the other tenant; empty: no longer known. */
  readonly owner: string
}

/** Reads `o<tab>DOMAIN<tab>OWNER`, a field of a day; `undefined`: another field. */
export function readOwned(field: string): Owned | undefined {
  const [kind, domain, owner] = field.split('\t')
  return kind === 'o' && owner !== undefined ? { domain: domain!, owner } : undefined
}

/** A domain in the header From that is not accepted. Each field may be {@link OTHER}. */
export interface HeaderFromSource {
  /** Empty: the header has none. */
  readonly domain: string
  /** `tenant/name`; empty: none matched. */
  readonly connector: string
}

/** Reads `hLETTER<tab>DOMAIN<tab>CONNECTOR`, a field of a day; `undefined`: another field. */
export function readHeaderFrom(
  field: string,
  of: LookedClass = USUAL_LOOKED,
): HeaderFromSource | undefined {
  const [kind, domain, connector] = field.split('\t')
  return kind === `h${letterOf(of)}` && connector !== undefined
    ? { domain: domain!, connector }
    : undefined
}

/** The field of checked header Froms of an hour, in the hash of a day only: messages, and mismatched ones. */
export function lookedField(hour: number, of: LookedClass = USUAL_LOOKED): string {
  return `l${letterOf(of)}\t${hour}`
}

/** The letter of a class in the names of these fields. */
function letterOf(of: LookedClass): string {
  return CLASSES[of].headerFrom!.letter
}

/** A sender without a tenant; or all fields are {@link OTHER}. */
export interface UnattributedSource {
  /** IPv4 address, or the /64 of an IPv6 address. */
  readonly ip: string
  /** AUTH user; empty: none. */
  readonly user: string
  /** First DNS name of a verified certificate; SHA-256 in hex of an unverified one; empty: none. */
  readonly certificate: string
}

/** The field of a source in the hash of a day without a tenant. */
export function unattributedField({ ip, user, certificate }: UnattributedSource): string {
  return `${ip}\t${user}\t${certificate}`
}

/** Reads a field of {@link unattributedField}. */
export function readUnattributed(field: string): UnattributedSource {
  const [ip = '', user = '', certificate = ''] = field.split('\t')
  return { ip, user, certificate }
}
