import { parseLimits } from '../mail/limits'
import { InputError } from '../base/errors'
import { METER_NAMES, METERS } from '../mail/meters'
import { parseTemporary, temporaryField } from '../mail/temporary'
import { SCOPES } from '../mail/scope'
import { MODES } from '../mail/mode'
import { toDomain } from '../names/domain'
import { parseMailbox } from '../names/mailbox'
import { assertConnectorName, assertTenantId } from '../mail/identities'
import { parsePrefix } from '../base/ip-prefix'
import { damaged, isObject, parseObject, show } from './format'

/** Raw fields of a hash in Redis. */
export type Fields = ReadonlyMap<string, string>

/** A tenant with the data of its own keys, without its accepted domains. */
export interface TenantRecord {
  readonly type: 'tenant'
  readonly id: string
  /** Of `ud:{id}`. */
  readonly fields: Fields
  /** Of `ud:{id}:restriction`; `undefined`: not restricted. */
  readonly restriction: Fields | undefined
  /** Of `ud:{id}:usage`: its rings are binary; `undefined`: none, or not read. */
  readonly usage: ReadonlyMap<string, Buffer> | undefined
}

/** Some accepted domains of the tenant whose record came last: name → packed value. */
export interface DomainsRecord {
  readonly type: 'domains'
  readonly tenant: string
  readonly domains: ReadonlyMap<string, string>
}

export interface ConnectorRecord {
  readonly type: 'connector'
  /** `tenant/name` */
  readonly id: string
  /** The JSON in `ud:{@connectors}`. */
  readonly value: string
}

/** A move of an owned domain that was begun and not finished. */
export interface MoveRecord {
  readonly type: 'move'
  readonly domain: string
  readonly from: string
  readonly to: string
  /** Whether it is owned with the names below it. */
  readonly subdomains: boolean
}

/** One line of a file between the first and the last. */
export type RegistryRecord = TenantRecord | DomainsRecord | ConnectorRecord | MoveRecord

/** Domains in one record at most. */
export const MOST_DOMAINS = 1000
const MOST_FIELDS = 100
const LONGEST_FIELD = 10_000
const LONGEST_BY = 1000
const RING_OCTETS = 256
/** Of a ring that is ahead of the clock: 8 octets more say by how many buckets. */
const AHEAD_OCTETS = 264
const MOST_IDENTITIES = 1_000_000

const FIELD = /^[A-Za-z][A-Za-z0-9]{0,63}$/
const DIGITS = /^\d{1,15}$/
/** Server time and a random part; the first generation of a tenant's usage is its `createdAt`. */
const TOKEN = /^[\w.:-]{1,200}$/
/** Of a window of a meter, or of holds. */
const LETTERS = METER_NAMES.map((meter) => METERS[meter].letter).join('')
const RING = new RegExp(`^[${LETTERS}h][1-9]\\d{0,14}$`)
const LIMITS_FIELDS = new Set<string>(METER_NAMES.map((meter) => METERS[meter].limitsField))
const TEMPORARY_FIELDS = new Set<string>(
  METER_NAMES.map((meter) => temporaryField(METERS[meter].limitsField)),
)
const PACKED_DOMAIN = /^(?:s|h|sh|-) \d{1,15} (.*)$/s
const CONTROL = /\p{Cc}/u
const LONE_SURROGATE = /\p{Surrogate}/u

/** The line without its line break. */
export function formatRecord(record: RegistryRecord): string {
  switch (record.type) {
    case 'tenant': {
      const { type, id, fields, restriction, usage } = record
      return JSON.stringify({
        type,
        id,
        fields: Object.fromEntries(fields),
        restriction: restriction && Object.fromEntries(restriction),
        usage: usage && Object.fromEntries([...usage].map(([k, v]) => [k, v.toString('base64')])),
      })
    }
    case 'domains':
      return JSON.stringify({ ...record, domains: Object.fromEntries(record.domains) })
    default:
      return JSON.stringify(record)
  }
}

/**
 * Reads a parsed line, and checks all that scripts and processes rely on.
 *
 * @param where stands before the message: `FILE:LINE`.
 * @throws {InputError} it is not as {@link formatRecord} writes it, or of a type that this version does not know.
 */
export function toRecord(value: Readonly<Record<string, unknown>>, where: string): RegistryRecord {
  try {
    switch (value['type']) {
      case 'tenant':
        return toTenant(value)
      case 'domains':
        return toDomains(value)
      case 'connector':
        return toConnector(value)
      case 'move':
        return toMove(value)
    }
  } catch (error) {
    if (error instanceof InputError) throw damaged(where, error.message)
    throw error
  }
  throw new InputError(
    `${where}: a record of type ${show(value['type'])} is not known here: the file is damaged, or needs a newer version of tenantctl`,
  )
}

function toTenant({ id, fields, restriction, usage }: Record<string, unknown>): TenantRecord {
  return {
    type: 'tenant',
    id: tenantId(id),
    fields: toFields(fields, 'fields', checkTenantField, ['createdAt']),
    restriction:
      restriction === undefined
        ? undefined
        : toFields(restriction, 'restriction', checkRestrictionField, ['scope', 'since']),
    usage: usage === undefined ? undefined : toUsage(usage),
  }
}

function toFields(
  value: unknown,
  what: string,
  check: (field: string, text: string) => boolean,
  required: readonly string[],
): Fields {
  const fields = new Map<string, string>()
  for (const [field, text] of entriesOf(value, what, MOST_FIELDS)) {
    if (!FIELD.test(field)) throw wrong(`a field of ${what}`, field)
    if (!isText(text, LONGEST_FIELD) || !check(field, text)) throw wrong(field, text)
    fields.set(field, text)
  }
  const absent = required.find((field) => !fields.has(field))
  if (absent !== undefined) throw new InputError(`${what} have no ${absent}`)
  return fields
}

function checkTenantField(field: string, text: string): boolean {
  if (LIMITS_FIELDS.has(field)) return isA(parseLimits, text)
  if (TEMPORARY_FIELDS.has(field)) return isA(parseTemporary, text)
  switch (field) {
    case 'createdAt':
      return DIGITS.test(text)
    case 'mode':
      return MODES.some((mode) => mode === text)
    case 'contact':
      return isMailbox(text)
    case 'domains':
    case 'state':
      return TOKEN.test(text)
    case 'cases':
      return DIGITS.test(text)
    // `TIME<tab>BY<tab>REASON`
    case 'lifted':
      return true
    // `TIME<tab>LIMITS<tab>CASE`
    case 'probation':
      return true
    default:
      return !CONTROL.test(text)
  }
}

function checkRestrictionField(field: string, text: string): boolean {
  switch (field) {
    case 'scope':
      return SCOPES.some((scope) => scope === text)
    case 'since':
    case 'window':
    case 'limit':
    case 'used':
      return DIGITS.test(text)
    default:
      return !CONTROL.test(text)
  }
}

function toUsage(value: unknown): Map<string, Buffer> {
  const usage = new Map<string, Buffer>()
  for (const [field, base64] of entriesOf(value, 'usage', MOST_FIELDS)) {
    if (!FIELD.test(field)) throw wrong('a field of usage', field)
    if (!isText(base64, LONGEST_FIELD)) throw wrong(field, base64)
    const octets = Buffer.from(base64, 'base64')
    if (octets.toString('base64') !== base64 || !isUsage(field, octets)) throw wrong(field, base64)
    usage.set(field, octets)
  }
  return usage
}

/** Whether a field of the usage holds what may be there. */
export function isUsage(field: string, octets: Buffer): boolean {
  if (RING.test(field)) return isRing(octets)
  const text = octets.toString()
  return field === 'generation' ? TOKEN.test(text) : isText(text, LONGEST_FIELD)
}

/** As `allowance/lua/include/ring.lua` packs it: a total that is not the sum of its buckets would never go down again. */
function isRing(octets: Buffer): boolean {
  const isAhead = octets.length === AHEAD_OCTETS
  if (octets.length !== RING_OCTETS && !isAhead) return false
  const buckets = [octets.readDoubleLE(0), isAhead ? octets.readDoubleLE(RING_OCTETS) : 0]
  let sum = 0
  for (let at = 12; at < RING_OCTETS; at += 4) sum += octets.readUInt32LE(at)
  return (
    buckets.every((each) => Number.isSafeInteger(each) && each >= 0) &&
    sum === octets.readUInt32LE(8)
  )
}

function toDomains({ tenant, domains }: Record<string, unknown>): DomainsRecord {
  const map = new Map<string, string>()
  for (const [domain, packed] of entriesOf(domains, 'domains', MOST_DOMAINS)) {
    if (toDomain(domain) !== domain) throw wrong('an accepted domain', domain)
    const by = isText(packed, LONGEST_FIELD) ? PACKED_DOMAIN.exec(packed)?.[1] : undefined
    if (by === undefined || by.length > LONGEST_BY || CONTROL.test(by)) throw wrong(domain, packed)
    map.set(domain, packed as string)
  }
  return { type: 'domains', tenant: tenantId(tenant), domains: map }
}

function toConnector({ id, value }: Record<string, unknown>): ConnectorRecord {
  const [tenant, name, ...rest] = typeof id === 'string' ? id.split('/') : []
  if (tenant === undefined || name === undefined || rest.length > 0) throw wrong('a connector', id)
  assertTenantId(tenant)
  assertConnectorName(name)
  if (typeof value !== 'string' || LONE_SURROGATE.test(value) || !isConnector(value)) {
    throw wrong(`connector ${tenant}/${name}`, value)
  }
  return { type: 'connector', id: id as string, value }
}

/** Whether a text is a connector as `packConnector` writes it, with identities in their canonical text. */
export function isConnector(value: string): boolean {
  const parsed = parseObject(value, 'value')
  const { changedAt, ip, cert, certSha256, auth, enabled, addedAt, addedBy, blocked } = parsed
  return (
    isList(ip, (text) => parsePrefix(text) === text) &&
    isList(cert, (text) => toDomain(text.replace(/^\*\./, '')) === text.replace(/^\*\./, '')) &&
    isList(certSha256, (text) => /^[\da-f]{64}$/.test(text)) &&
    isList(auth, (text) => text !== '' && !CONTROL.test(text)) &&
    typeof enabled === 'boolean' &&
    (changedAt === undefined || Number.isSafeInteger(changedAt)) &&
    Number.isSafeInteger(addedAt) &&
    isText(addedBy, LONGEST_BY) &&
    !CONTROL.test(addedBy) &&
    (blocked === undefined || isBlock(blocked))
  )
}

function isBlock(value: unknown): boolean {
  if (!isObject(value)) return false
  const { by, reason, since } = value
  return (
    isText(by, LONGEST_BY) &&
    isText(reason, LONGEST_BY) &&
    !CONTROL.test(by + reason) &&
    Number.isSafeInteger(since)
  )
}

function isList(value: unknown, check: (text: string) => boolean): boolean {
  return (
    Array.isArray(value) &&
    value.length <= MOST_IDENTITIES &&
    value.every((each) => typeof each === 'string' && each.length <= LONGEST_BY && check(each))
  )
}

function toMove({ domain, from, to, subdomains }: Record<string, unknown>): MoveRecord {
  if (typeof domain !== 'string' || toDomain(domain) !== domain) {
    throw wrong('a domain that moves', domain)
  }
  if (typeof subdomains !== 'boolean') throw wrong('subdomains', subdomains)
  return { type: 'move', domain, from: tenantId(from), to: tenantId(to), subdomains }
}

function tenantId(value: unknown): string {
  if (typeof value !== 'string') throw wrong('a tenant', value)
  assertTenantId(value)
  return value
}

function entriesOf(value: unknown, what: string, most: number): [string, unknown][] {
  if (!isObject(value)) throw wrong(what, value)
  const entries = Object.entries(value)
  if (entries.length > most) throw new InputError(`${what} holds more than ${most} entries`)
  return entries
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest && !LONE_SURROGATE.test(value)
}

function isMailbox(text: string): boolean {
  try {
    return parseMailbox(text).address === text
  } catch {
    return false
  }
}

function isA(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text)
    return true
  } catch {
    return false
  }
}

function wrong(what: string, value: unknown): InputError {
  return new InputError(`${what} cannot be ${show(value)}`)
}
