import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { InputError, messageOf } from '../base/errors'
import { acceptedDomainName } from '../names/accepted'
import type { DomainEntry } from '../registry/domain-entries'
import {
  assertConnectorName,
  assertTenantId,
  normalizeIdentities,
  type RawIdentities,
} from '../mail/identities'
import { identityFields } from '../registry/packing'
import { noteOverlaps } from './overlaps'
import { normalizeSettings, type TenantSettings } from '../registry/tenant-registry'
import type { Identities } from '../mail/tenant'
import { atPlace, YamlReader, type Place, type Value } from './yaml-reader'

/** A tenants file: valid in itself, whatever Redis holds. */
export interface TenantsFile {
  readonly filename: string
  /** What marks in Redis what comes from this file; `undefined`: the file is empty, and there is nothing to apply. */
  readonly id: string | undefined
  readonly tenants: readonly FileTenant[]
}

export interface FileTenant {
  readonly id: string
  readonly place: Place
  /** Only what the file mentions. */
  readonly settings: TenantSettings
  readonly domains: readonly FileDomain[]
  readonly connectors: readonly FileConnector[]
}

export interface FileDomain extends DomainEntry {
  readonly place: Place
}

export interface FileConnector {
  readonly name: string
  readonly place: Place
  /** Only the kinds that the file mentions. */
  readonly identities: Partial<Identities>
  readonly enabled: boolean | undefined
  /** Where each identity (a field as `identityFields` writes it) stands. */
  readonly places: ReadonlyMap<string, Place>
}

/** About 100,000 domains: to parse them takes two seconds and half a gigabyte. */
const MOST_BYTES = 4 * 1024 * 1024
const FILE_ID = /^[a-z0-9][a-z0-9._-]{0,62}$/
const TOP_KEYS = ['id', 'tenants']
const TENANT_KEYS = [
  'name',
  'mode',
  'limits',
  'null_limits',
  'forwarded_limits',
  'contact',
  'domains',
  'connectors',
]
const DOMAIN_KEYS = ['name', 'subdomains', 'shared']
const CONNECTOR_KEYS = ['ip', 'cert', 'cert_sha256', 'auth', 'enabled']
const SETTINGS = {
  name: 'name',
  mode: 'mode',
  limits: 'limits',
  null_limits: 'nullLimits',
  forwarded_limits: 'forwardedLimits',
  contact: 'contact',
} as const
const KINDS = { ip: 'ip', cert: 'cert', cert_sha256: 'certSha256', auth: 'auth' } as const
/** The word that takes a setting back to the default, as on the command line. */
const DEFAULT = 'default'

/**
 * Reads a tenants file.
 *
 * @throws {InputError} it cannot be read, or as {@link textOf} and {@link parseTenantsFile}.
 */
export async function readTenantsFile(path: string): Promise<TenantsFile> {
  try {
    assertSize((await stat(path)).size, path)
    const pieces: Buffer[] = []
    // Not more than that: a device or a pipe may have no end.
    for await (const piece of createReadStream(path, { end: MOST_BYTES })) {
      pieces.push(piece as Buffer)
    }
    return parseTenantsFile(textOf(Buffer.concat(pieces), path), path)
  } catch (error) {
    if (error instanceof InputError) throw error
    throw new InputError(`${path}: cannot be read: ${messageOf(error)}`)
  }
}

/** @throws {InputError} it is too large, or no UTF-8. */
export function textOf(content: Buffer, filename: string): string {
  assertSize(content.length, filename)
  const text = content.toString('utf8')
  if (isUtf8(content)) return text
  const before = text.slice(0, text.indexOf('\ufffd')).split('\n')
  const place = { line: before.length, column: before.at(-1)!.length + 1 }
  throw new InputError(atPlace(filename, place, 'is no UTF-8: save the file in that encoding'))
}

/**
 * Parses a tenants file and checks all that can be checked without Redis.
 *
 * @param filename for the messages.
 * @throws {InputError} every mistake in a line of its own, `FILE:LINE:COLUMN: what, value, what to do`.
 */
export function parseTenantsFile(text: string, filename: string): TenantsFile {
  assertSize(Buffer.byteLength(text), filename)
  const reader = new YamlReader(text, filename)
  if (reader.isEmpty(reader.root)) return { filename, id: undefined, tenants: [] }

  let id: string | undefined
  let hasId = false
  const tenants: FileTenant[] = []
  for (const { key, value } of reader.mapping(reader.root, 'the file', TOP_KEYS)) {
    if (key === 'id') {
      hasId = true
      id = readFileId(reader, value)
    } else {
      for (const entry of reader.mapping(value, 'tenants')) {
        reader.attempt(entry.keyPlace, () => assertTenantId(entry.key))
        tenants.push(readTenant(reader, entry.key, entry.keyPlace, entry.value))
      }
    }
  }
  if (!hasId && reader.isMapping(reader.root)) {
    reader.mistake(
      reader.root.place,
      'the file has no id: give it one for ever (id: site-a), by which its tenants are known as coming from it',
    )
  }
  noteOverlaps(tenants, (place, what) => reader.mistake(place, what))
  reader.throwMistakes()
  return { filename, id, tenants }
}

function assertSize(bytes: number, filename: string): void {
  if (bytes <= MOST_BYTES) return
  throw new InputError(
    `${filename}: has ${bytes} bytes or more, and ${MOST_BYTES} are the limit: split it, with an id of its own for each file, or register domains with tenantctl`,
  )
}

function readFileId(reader: YamlReader, value: Value): string | undefined {
  const id = reader.text(value, 'id')
  if (id === undefined || FILE_ID.test(id)) return id
  reader.mistake(
    value.place,
    `${JSON.stringify(id)} is not an id: use at most 63 of a-z, 0-9, ".", "_" and "-", beginning with a letter or a digit`,
  )
  return undefined
}

function readTenant(reader: YamlReader, id: string, place: Place, value: Value): FileTenant {
  let settings: TenantSettings = {}
  let domains: FileDomain[] = []
  let connectors: FileConnector[] = []
  for (const entry of reader.mapping(value, `tenant ${id}`, TENANT_KEYS)) {
    if (entry.key === 'domains') {
      domains = reader
        .list(entry.value, `domains of ${id}`)
        .map((item) => readDomain(reader, item))
        .filter((domain) => domain !== undefined)
    } else if (entry.key === 'connectors') {
      connectors = reader
        .mapping(entry.value, `connectors of ${id}`)
        .map(({ key, keyPlace, value }) => readConnector(reader, id, key, keyPlace, value))
    } else {
      settings = { ...settings, ...readSetting(reader, entry.key, entry.value) }
    }
  }
  return { id, place, settings, domains, connectors }
}

function readSetting(reader: YamlReader, key: string, value: Value): TenantSettings {
  const text = reader.text(value, key)
  if (text === undefined) return {}
  const setting = SETTINGS[key as keyof typeof SETTINGS]
  const wanted = text === DEFAULT && setting !== 'name' ? null : text
  return reader.attempt(value.place, () => normalizeSettings({ [setting]: wanted })) ?? {}
}

/** `contoso.com`, or `{ name: contoso.com, subdomains: true, shared: false }`. */
function readDomain(reader: YamlReader, item: Value): FileDomain | undefined {
  let name: string | undefined
  let namePlace = item.place
  const flags = { subdomains: false, shared: false }
  if (reader.isMapping(item)) {
    const entries = reader.mapping(item, 'a domain', DOMAIN_KEYS)
    if (!entries.some(({ key }) => key === 'name')) {
      reader.mistake(
        item.place,
        'a domain has no name: write { name: contoso.com, subdomains: true }',
      )
      return undefined
    }
    for (const { key, value } of entries) {
      if (key === 'name') {
        namePlace = value.place
        name = reader.text(value, 'the name of a domain')
      } else {
        flags[key as keyof typeof flags] = reader.flag(value, key) ?? false
      }
    }
  } else {
    name = reader.text(item, 'a domain')
  }
  if (name === undefined) return undefined
  const input = name
  const domain = reader.attempt(namePlace, () => acceptedDomainName(input, flags))
  return domain === undefined ? undefined : { domain, ...flags, place: namePlace }
}

function readConnector(
  reader: YamlReader,
  tenant: string,
  name: string,
  place: Place,
  value: Value,
): FileConnector {
  reader.attempt(place, () => assertConnectorName(name))
  const identities: { -readonly [kind in keyof Identities]?: string[] } = {}
  const places = new Map<string, Place>()
  let enabled: boolean | undefined
  let mentioned = 0
  for (const entry of reader.mapping(value, `connector ${tenant}/${name}`, CONNECTOR_KEYS)) {
    if (entry.key === 'enabled') {
      enabled = reader.flag(entry.value, 'enabled')
      continue
    }
    const kind = KINDS[entry.key as keyof typeof KINDS]
    const list: string[] = (identities[kind] = [])
    for (const item of reader.list(entry.value, entry.key)) {
      mentioned++
      const identity = readIdentity(reader, kind, entry.key, item)
      if (identity === undefined) continue
      const field = identity.field
      if (places.has(field)) {
        reader.mistake(item.place, `${identity.text} is there twice: keep one`)
        continue
      }
      places.set(field, item.place)
      list.push(identity.text)
    }
  }
  if (mentioned === 0) {
    reader.mistake(
      place,
      `connector ${tenant}/${name} would match nothing: give it at least one ip, cert, cert_sha256 or auth`,
    )
  }
  for (const list of Object.values(identities)) list.sort()
  return { name, place, identities, enabled, places }
}

function readIdentity(
  reader: YamlReader,
  kind: keyof Identities,
  what: string,
  item: Value,
): { field: string; text: string } | undefined {
  const text = reader.text(item, what)
  if (text === undefined) return undefined
  const raw: RawIdentities = { [kind]: [text] }
  const identities = reader.attempt(item.place, () => normalizeIdentities(raw))
  if (identities === undefined) return undefined
  return { field: identityFields(identities)[0]!, text: identities[kind][0]! }
}
