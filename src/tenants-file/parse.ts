// Reads the text of a tenants file, and checks all that can be checked without Redis.
import type { Identities } from '../mail/tenant'
import { assertConnectorName, assertTenantId, normalizeIdentities } from '../mail/identities'
import { acceptedDomainName } from '../names/accepted'
import { identityFields } from '../registry/formats'
import { normalizeSettings, type TenantSettings } from '../registry/tenant-registry'
import { noteOverlaps } from './overlaps'
import {
  SETTING_KEYS,
  type FileConnector,
  type FileDomain,
  type FileTenant,
  type TenantsFile,
} from './tenants-file'
import { YamlFile, type Entry, type Place, type Value } from './yaml'

const FILE_ID = /^[a-z0-9][a-z0-9._-]{0,62}$/
const KINDS = { ip: 'ip', cert: 'cert', cert_sha256: 'certSha256', auth: 'auth' } as const
const TENANT_KEYS = [...SETTING_KEYS.keys(), 'domains', 'connectors']
const CONNECTOR_KEYS = [...Object.keys(KINDS), 'enabled']
/** Takes a setting back to the default, as on the command line. */
const DEFAULT = 'default'

/**
 * @param filename for the messages.
 * @throws {InputError} every mistake in a line of its own, `FILE:LINE:COLUMN: what, value, what to do`.
 */
export function parseTenantsFile(text: string, filename: string): TenantsFile {
  const yaml = new YamlFile(text, filename)
  const { root } = yaml
  if (root.node === null) return { filename, id: undefined, tenants: [] }

  const top = new Map(
    yaml.mapping(root, 'the file', ['id', 'tenants']).map(({ key, value }) => [key, value]),
  )
  const idValue = top.get('id')
  const id = idValue && readFileId(yaml, idValue)
  if (!idValue && yaml.isMapping(root)) {
    yaml.mistake(
      root.place,
      'the file has no id: give it one for ever (id: site-a), by which its tenants are known as coming from it',
    )
  }
  const entries = top.has('tenants') ? yaml.mapping(top.get('tenants')!, 'tenants') : []
  const tenants = entries.map((entry) => readTenant(yaml, entry))
  noteOverlaps(tenants, (place, what) => yaml.mistake(place, what))
  yaml.throwMistakes()
  return { filename, id, tenants }
}

function readFileId(yaml: YamlFile, value: Value): string | undefined {
  const id = yaml.text(value, 'id')
  if (id === undefined || FILE_ID.test(id)) return id
  yaml.mistake(
    value.place,
    `${JSON.stringify(id)} is not an id: use at most 63 of a-z, 0-9, ".", "_" and "-", beginning with a letter or a digit`,
  )
  return undefined
}

function readTenant(yaml: YamlFile, { key: id, keyPlace: place, value }: Entry): FileTenant {
  yaml.attempt(place, () => assertTenantId(id))
  let settings: TenantSettings = {}
  let domains: FileDomain[] = []
  let connectors: FileConnector[] = []
  for (const entry of yaml.mapping(value, `tenant ${id}`, TENANT_KEYS)) {
    if (entry.key === 'domains') {
      domains = readDomains(yaml, yaml.list(entry.value, `domains of ${id}`))
    } else if (entry.key === 'connectors') {
      const entries = yaml.mapping(entry.value, `connectors of ${id}`)
      connectors = entries.map((each) => readConnector(yaml, id, each))
    } else {
      settings = { ...settings, ...readSetting(yaml, entry) }
    }
  }
  return { id, place, settings, domains, connectors }
}

function readSetting(yaml: YamlFile, { key, value }: Entry): TenantSettings {
  const text = yaml.text(value, key)
  if (text === undefined) return {}
  const setting = SETTING_KEYS.get(key)!
  const wanted = text === DEFAULT && setting !== 'name' ? null : text
  return yaml.attempt(value.place, () => normalizeSettings({ [setting]: wanted })) ?? {}
}

function readDomains(yaml: YamlFile, items: readonly Value[]): FileDomain[] {
  const domains = new Map<string, FileDomain>()
  for (const item of items) {
    const read = readDomain(yaml, item)
    if (read === undefined) continue
    const { domain, place } = read
    const { line } = domains.get(domain)?.place ?? {}
    if (line === undefined) domains.set(domain, read)
    else yaml.mistake(place, `${domain} is there twice, first in line ${line}: keep one`)
  }
  return [...domains.values()]
}

/** `contoso.com`, or `{ name: contoso.com, subdomains: true, shared: false, force: false }`. */
function readDomain(yaml: YamlFile, item: Value): FileDomain | undefined {
  const flags = { subdomains: false, shared: false, force: false }
  let nameValue: Value | undefined = item
  let what = 'a domain'
  if (yaml.isMapping(item)) {
    nameValue = undefined
    what = 'the name of a domain'
    for (const { key, value } of yaml.mapping(item, 'a domain', ['name', ...Object.keys(flags)])) {
      if (key === 'name') nameValue = value
      else flags[key as keyof typeof flags] = yaml.flag(value, key) ?? false
    }
  }
  if (nameValue === undefined) {
    const help = 'write { name: contoso.com, subdomains: true }'
    yaml.mistake(item.place, `a domain has no name: ${help}`)
    return undefined
  }
  const { place } = nameValue
  const name = yaml.text(nameValue, what)
  if (name === undefined) return undefined
  const domain = yaml.attempt(place, () => acceptedDomainName(name, flags))
  return domain === undefined ? undefined : { domain, ...flags, place }
}

function readConnector(
  yaml: YamlFile,
  tenant: string,
  { key: name, keyPlace: place, value }: Entry,
): FileConnector {
  yaml.attempt(place, () => assertConnectorName(name))
  const what = `connector ${tenant}/${name}`
  const identities: { -readonly [kind in keyof Identities]?: string[] } = {}
  const places = new Map<string, Place>()
  let enabled: boolean | undefined
  let mentioned = 0
  for (const { key, value: list } of yaml.mapping(value, what, CONNECTOR_KEYS)) {
    if (key === 'enabled') {
      enabled = yaml.flag(list, key)
      continue
    }
    const kind = KINDS[key as keyof typeof KINDS]
    const texts: string[] = (identities[kind] = [])
    for (const item of yaml.list(list, key)) {
      mentioned++
      const text = yaml.text(item, key)
      if (text === undefined) continue
      const read = yaml.attempt(item.place, () => normalizeIdentities({ [kind]: [text] }))
      if (read === undefined) continue
      const [field] = identityFields(read)
      const [canonical] = read[kind]
      if (places.has(field!)) yaml.mistake(item.place, `${canonical} is there twice: keep one`)
      places.set(field!, item.place)
      texts.push(canonical!)
    }
    texts.sort()
  }
  if (mentioned === 0) {
    const help = 'give it at least one ip, cert, cert_sha256 or auth'
    yaml.mistake(place, `${what} would match nothing: ${help}`)
  }
  return { name, place, identities, enabled, places }
}
