import {
  CLASSES,
  KNOWN_CLASSES,
  SOURCE_CLASSES,
  USUAL_CLASS,
  USUAL_LOOKED,
  type KnownClass,
  type LookedClass,
  type SourceClass,
} from '../mail/classes'
import { unpackCounts, type Counts } from './counts'

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

/** All mail of one class in one hour of a day. */
export interface HourTotal {
  /** 0 to 23, UTC */
  readonly hour: number
  readonly class: KnownClass
  readonly counts: Counts
}

/** The field of a source in the hash of an hour or a day. */
export function sourceField(
  { domain, connector, ip, user }: Source,
  sourceClass: SourceClass = USUAL_CLASS,
): string {
  return `${CLASSES[sourceClass].rowLetter}\t${domain}\t${connector}\t${ip}\t${user}`
}

/** The field of a total, in the hash of a day only. */
export function totalField(hour: number, of: KnownClass): string {
  return `t\t${hour}\t${CLASSES[of].letter}`
}

/** Reads a field of {@link sourceField}; `undefined`: another field. */
export function readSource(field: string): (Source & { class: SourceClass }) | undefined {
  const [letter, domain, connector, ip, user] = field.split('\t')
  const sourceClass = SOURCE_CLASSES.find((each) => CLASSES[each].rowLetter === letter)
  if (sourceClass === undefined || user === undefined) return undefined
  return { class: sourceClass, domain: domain!, connector: connector!, ip: ip!, user }
}

/** Reads a field of {@link totalField} with its value; `undefined`: another field. */
export function readTotal(field: string, value: string): HourTotal | undefined {
  const [kind, hour, letter] = field.split('\t')
  const of = KNOWN_CLASSES.find((each) => CLASSES[each].letter === letter)
  if (kind !== 't' || of === undefined) return undefined
  return { hour: Number(hour), class: of, counts: unpackCounts(value) }
}

/** A foreign domain with the tenant that owned it then; or both are {@link OTHER}. */
export interface Owned {
  readonly domain: string
  /** Id of the other tenant; empty: no longer known. */
  readonly owner: string
}

/** The field of a foreign domain, in the hash of a day only. */
export function ownedField({ domain, owner }: Owned): string {
  return `o\t${domain}\t${owner}`
}

/** Reads a field of {@link ownedField}; `undefined`: another field. */
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

/** The field of such a domain, in the hash of a day only. */
export function headerFromField(
  { domain, connector }: HeaderFromSource,
  of: LookedClass = USUAL_LOOKED,
): string {
  return `h${letterOf(of)}\t${domain}\t${connector}`
}

/** Reads a field of {@link headerFromField}; `undefined`: another field. */
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
