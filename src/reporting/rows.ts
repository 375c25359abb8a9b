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

/** Stands for all values that have no row of their own. */
export const OTHER = '(other)'

/** Who sent such mail. Each may be {@link OTHER}. */
export interface Source {
  /** Sender domain, lower-case A-labels; empty: it was no DNS name. */
  readonly domain: string
  /** `tenant/name`; empty: recognised without a connector. */
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

/** Reads a field that {@link sourceField} made; `undefined`: it is none. */
export function readSource(field: string): (Source & { class: SourceClass }) | undefined {
  const [letter, domain, connector, ip, user] = field.split('\t')
  const sourceClass = SOURCE_CLASSES.find((each) => CLASSES[each].rowLetter === letter)
  if (sourceClass === undefined || user === undefined) return undefined
  return { class: sourceClass, domain: domain!, connector: connector!, ip: ip!, user }
}

/** Reads a field that {@link totalField} made, with its value; `undefined`: it is none. */
export function readTotal(field: string, value: string): HourTotal | undefined {
  const [kind, hour, letter] = field.split('\t')
  const of = KNOWN_CLASSES.find((each) => CLASSES[each].letter === letter)
  if (kind !== 't' || of === undefined) return undefined
  return { hour: Number(hour), class: of, counts: unpackCounts(value) }
}

/** A domain of foreign mail with the tenant that owned it then. Both may be {@link OTHER} together. */
export interface Owned {
  readonly domain: string
  /** Id of the other tenant; empty: not known any more. */
  readonly owner: string
}

/** The field of a foreign domain, in the hash of a day only. */
export function ownedField({ domain, owner }: Owned): string {
  return `o\t${domain}\t${owner}`
}

/** Reads a field that {@link ownedField} made; `undefined`: it is none. */
export function readOwned(field: string): Owned | undefined {
  const [kind, domain, owner] = field.split('\t')
  return kind === 'o' && owner !== undefined ? { domain: domain!, owner } : undefined
}

/** A domain in the header From of such mail that is no accepted domain. Both may be {@link OTHER}. */
export interface HeaderFromSource {
  /** Empty: the header names none. */
  readonly domain: string
  /** `tenant/name`; empty: recognised without a connector. */
  readonly connector: string
}

/** The field of such a domain, in the hash of a day only. */
export function headerFromField(
  { domain, connector }: HeaderFromSource,
  of: LookedClass = USUAL_LOOKED,
): string {
  return `h${letterOf(of)}\t${domain}\t${connector}`
}

/** Reads a field that {@link headerFromField} made; `undefined`: it is none. */
export function readHeaderFrom(
  field: string,
  of: LookedClass = USUAL_LOOKED,
): HeaderFromSource | undefined {
  const [kind, domain, connector] = field.split('\t')
  return kind === `h${letterOf(of)}` && connector !== undefined
    ? { domain: domain!, connector }
    : undefined
}

/** The field of what was looked at in an hour, in the hash of a day only: messages, and those of them that mismatched. */
export function lookedField(hour: number, of: LookedClass = USUAL_LOOKED): string {
  return `l${letterOf(of)}\t${hour}`
}

/** What tells the fields of such a class apart. */
function letterOf(of: LookedClass): string {
  return CLASSES[of].headerFrom!.letter
}

/** Who relayed without a tenant. All may be {@link OTHER} together. */
export interface UnattributedSource {
  /** IPv4 address, or the /64 of an IPv6 address. */
  readonly ip: string
  /** AUTH user; empty: none. */
  readonly user: string
  /** First DNS name of a verified certificate; SHA-256 of one that is not, in hexadecimal; empty: none. */
  readonly certificate: string
}

/** The field of a source in the hash of a day without a tenant. */
export function unattributedField({ ip, user, certificate }: UnattributedSource): string {
  return `${ip}\t${user}\t${certificate}`
}

/** Reads a field that {@link unattributedField} made. */
export function readUnattributed(field: string): UnattributedSource {
  const [ip = '', user = '', certificate = ''] = field.split('\t')
  return { ip, user, certificate }
}
