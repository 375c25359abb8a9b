import type { SenderClass } from '../relay/judge'
import { unpackCounts, type Counts } from './counts'

/** Stands for all values that have no row of their own. */
export const OTHER = '(other)'

/** Who sent unregistered mail. Each may be {@link OTHER}. */
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

/** A row of a report: unregistered mail from one source. */
export interface Row extends Source {
  readonly counts: Counts
}

/** All mail of one class in one hour of a day. */
export interface HourTotal {
  /** 0 to 23, UTC */
  readonly hour: number
  readonly class: SenderClass
  readonly counts: Counts
}

const LETTERS: Readonly<Record<SenderClass, string>> = {
  unregistered: 'u',
  foreign: 'x',
  forwarded: 'f',
  registered: 'r',
  null: 'n',
}

/** The field of a source in the hash of an hour or a day. */
export function sourceField({ domain, connector, ip, user }: Source): string {
  return `s\t${domain}\t${connector}\t${ip}\t${user}`
}

/** The field of a total, in the hash of a day only. */
export function totalField(hour: number, senderClass: SenderClass): string {
  return `t\t${hour}\t${LETTERS[senderClass]}`
}

/** Reads a field that {@link sourceField} made; `undefined`: it is none. */
export function readSource(field: string): Source | undefined {
  const [kind, domain, connector, ip, user] = field.split('\t')
  if (kind !== 's' || user === undefined) return undefined
  return { domain: domain!, connector: connector!, ip: ip!, user }
}

/** Reads a field that {@link totalField} made, with its value; `undefined`: it is none. */
export function readTotal(field: string, value: string): HourTotal | undefined {
  const [kind, hour, letter] = field.split('\t')
  const senderClass = (Object.keys(LETTERS) as SenderClass[]).find(
    (each) => LETTERS[each] === letter,
  )
  if (kind !== 't' || senderClass === undefined) return undefined
  return { hour: Number(hour), class: senderClass, counts: unpackCounts(value) }
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
