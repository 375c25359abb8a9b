import { tenantctl } from '../base/command-line'
import { keepEntry } from '../records/audit-trail'
import { formatLimits, parseLimits } from '../mail/limits'
import { InputError, noSuchTenant, RefusedError } from '../base/errors'
import { parseMailbox } from '../names/mailbox'
import { batchesOf } from '../base/lists'
import { scanSet } from '../store/scan'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { randomToken } from '../records/token'
import { assertTenantId } from '../mail/identities'
import { METER_NAMES, METERS, separated, type LimitsField } from '../mail/meters'
import { MODES, type Mode } from '../mail/mode'
import {
  formatTemporary,
  parseTemporary,
  temporaryField,
  type TemporaryField,
} from '../mail/temporary'
import type { Tenant } from '../mail/tenant'

const ADD = readScript(__dirname, 'tenant_add')
const SET = readScript(__dirname, 'tenant_set')
const LIMITS = METER_NAMES.map((meter) => METERS[meter].limitsField)
const TEMPORARY = LIMITS.map(temporaryField)
/** Fields of the tenant's hash that describe it, by command or tenants file. */
const LASTING = ['name', 'mode', ...LIMITS, 'contact'] as const
/** Fields of the tenant's hash that operators set. */
export const SETTINGS = [...LASTING, ...TEMPORARY] as const
const FIELDS = [...SETTINGS, 'source', 'createdAt'] as const
const BATCH = 500
const MAX_NAME = 200

/** The limits of meters, see `parseLimits`; `null`: the default applies, or it has no such meter. */
type LimitsSettings = Readonly<Partial<Record<LimitsField, string | null | undefined>>>

/** Limits that apply in place of these for a time, as `formatTemporary` writes them; `null`: none. */
type TemporarySettings = Readonly<Partial<Record<TemporaryField, string | null | undefined>>>

/** What an operator sets for a tenant. `null`: the default; so is what is not given for a new tenant. */
export interface TenantSettings extends LimitsSettings, TemporarySettings {
  /** The default is the id. */
  readonly name?: string | null | undefined
  readonly mode?: Mode | null | undefined
  /** Mail address that alerts about the tenant are sent to. */
  readonly contact?: string | null | undefined
}

/** Registers and changes tenants. */
export class TenantRegistry {
  constructor(private readonly store: Store) {}

  /**
   * @param source who registers it.
   * @param createdAt when it was first registered, if Redis has lost it since: restrictions of that tenant are its own.
   * @throws {InputError} a bad id or setting.
   * @throws {RefusedError} it exists with other settings.
   */
  async add(
    id: string,
    settings: TenantSettings,
    source: string,
    createdAt?: number,
  ): Promise<'added' | 'unchanged'> {
    assertTenantId(id)
    const fields = toFields(id, { ...settings, name: settings.name ?? null })
    const values = SETTINGS.map((field) => fields.get(field) ?? '')
    // Before, so that a crash leaves no tenant outside of the index; and after, since the removal of an earlier tenant of
    // that id may take it out in between.
    await indexTenant(this.store, id)
    const { keys } = this.store
    const [result, ...reply] = (await this.store.run(
      ADD,
      [keys.tenant(id), keys.audit(id), keys.caseCount(id)],
      [
        randomToken(),
        this.store.actor,
        source,
        createdAt ?? '',
        ...SETTINGS.flatMap((field, at) => [field, values[at]!]),
      ],
    )) as ['added', entry: string] | ['there', ...settings: string[]]
    if (result === 'there' && LASTING.some((_field, at) => reply[at] !== values[at])) {
      throw existsOtherwise(id, reply, values)
    }
    await indexTenant(this.store, id)
    if (result === 'there') return 'unchanged'
    await keepEntry(this.store, id, reply[0]!)
    return 'added'
  }

  /**
   * Changes the given settings only.
   *
   * @param origin `source`: the new source; `createdAt`: as in {@link add}.
   * @throws {InputError} a bad setting.
   * @throws {NotFoundError} no such tenant.
   */
  async set(
    id: string,
    settings: TenantSettings,
    origin: { readonly source?: string; readonly createdAt?: number } = {},
  ): Promise<'changed' | 'unchanged'> {
    assertTenantId(id)
    const fields = toFields(id, settings)
    for (const [field, value] of Object.entries(origin)) fields.set(field, String(value))
    const reply = (await this.store.run(
      SET,
      [this.store.keys.tenant(id), this.store.keys.audit(id)],
      [randomToken(), this.store.actor, ...[...fields].flat()],
    )) as 'changed' | 'unchanged' | 'gone'
    if (reply === 'gone') throw noSuchTenant(id)
    return reply
  }

  async get(id: string): Promise<Tenant | undefined> {
    assertTenantId(id)
    return this.read(id)
  }

  /** All tenants by id. */
  async list(): Promise<Tenant[]> {
    const ids = new Set<string>()
    for await (const batch of scanSet(this.store, this.store.keys.tenants)) {
      for (const id of batch) ids.add(id)
    }
    const tenants: Tenant[] = []
    for (const batch of batchesOf([...ids].sort(), BATCH)) {
      // Without waiting: on a Cluster a pipeline could not span slots.
      const found = await Promise.all(batch.map((id) => this.read(id)))
      for (const tenant of found) if (tenant) tenants.push(tenant)
    }
    return tenants
  }

  /** Ids of the tenants that a source has registered. */
  async idsFrom(source: string): Promise<string[]> {
    const { client, keys } = this.store
    const ids = new Set<string>()
    for await (const batch of scanSet(this.store, keys.tenants)) {
      const sources = await Promise.all(batch.map((id) => client.hget(keys.tenant(id), 'source')))
      batch.forEach((id, at) => sources[at] === source && ids.add(id))
    }
    return [...ids].sort()
  }

  /** Tenants for which a setting is made, with its value: in batches of a thousand tenants, in no order. */
  async *having(
    setting: 'contact' | LimitsField,
  ): AsyncGenerator<{ readonly id: string; readonly value: string }[]> {
    const { client, keys } = this.store
    for await (const ids of scanSet(this.store, keys.tenants)) {
      const values = await Promise.all(ids.map((id) => client.hget(keys.tenant(id), setting)))
      yield ids.flatMap((id, at) => (values[at] ? [{ id, value: values[at] }] : []))
    }
  }

  private async read(id: string): Promise<Tenant | undefined> {
    return toTenant(id, await this.store.client.hmget(this.store.keys.tenant(id), ...FIELDS))
  }
}

/** Adds the tenant to the index. Doing it twice changes nothing. */
export async function indexTenant(store: Store, id: string): Promise<void> {
  await store.client.sadd(store.keys.tenants, id)
}

/** @throws {InputError} not an id: it could name another key of the registry. */
export async function tenantExists(store: Store, id: string): Promise<boolean> {
  assertTenantId(id)
  return (await store.client.hexists(store.keys.tenant(id), 'createdAt')) === 1
}

/** @throws {NotFoundError} */
export async function assertTenantExists(store: Store, id: string): Promise<void> {
  if (!(await tenantExists(store, id))) throw noSuchTenant(id)
}

/**
 * The given settings in their canonical text.
 *
 * @throws {InputError}
 */
export function normalizeSettings(settings: TenantSettings): TenantSettings {
  const { name, mode, contact } = settings
  const limits = [
    ...LIMITS.map((field) => [field, settings[field], toLimits] as const),
    ...TEMPORARY.map((field) => [field, settings[field], toTemporary] as const),
  ].flatMap(([field, value, parse]) =>
    value === undefined ? [] : [[field, value === null ? null : parse(value)]],
  )
  return {
    ...(name === undefined ? {} : { name: name === null ? null : toName(name) }),
    ...(mode === undefined ? {} : { mode: mode === null ? null : toMode(mode) }),
    ...(Object.fromEntries(limits) as LimitsSettings & TemporarySettings),
    ...(contact === undefined ? {} : { contact: toContact(contact) }),
  }
}

/** An empty value means the default. */
function toFields(id: string, settings: TenantSettings): Map<string, string> {
  const fields = new Map<string, string>()
  for (const [field, value] of Object.entries(normalizeSettings(settings)) as [
    string,
    string | null,
  ][]) {
    fields.set(field, value ?? (field === 'name' ? id : ''))
  }
  return fields
}

function toName(name: string): string {
  const trimmed = name.trim()
  // eslint-disable-next-line no-control-regex
  if (trimmed === '' || trimmed.length > MAX_NAME || /[\x00-\x1f\x7f]/.test(trimmed)) {
    throw new InputError(
      `${JSON.stringify(name)} is no name for a tenant: give 1 to ${MAX_NAME} characters in one line`,
    )
  }
  return trimmed
}

function toMode(mode: string): Mode {
  const known = MODES.find((each) => each === mode)
  if (known) return known
  throw new InputError(`${JSON.stringify(mode)} is no mode: give ${MODES.join(', ')} or default`)
}

function toLimits(limits: string): string {
  return formatLimits(parseLimits(limits))
}

function toTemporary(text: string): string {
  return formatTemporary(parseTemporary(text))
}

function toContact(contact: string | null): string | null {
  return contact === null ? null : parseMailbox(contact).address
}

function toTenant(id: string, values: (string | null)[]): Tenant | undefined {
  const of = (field: (typeof FIELDS)[number]): string | undefined =>
    values[FIELDS.indexOf(field)] ?? undefined
  const createdAt = of('createdAt')
  if (!createdAt) return undefined
  const limits = [...LIMITS, ...TEMPORARY].map((field) => [field, of(field)])
  return {
    id,
    name: of('name') ?? id,
    mode: of('mode') as Mode | undefined,
    ...(Object.fromEntries(limits) as Pick<Tenant, LimitsField | TemporaryField>),
    contact: of('contact'),
    source: of('source') ?? '',
    createdAt: Number(createdAt),
  }
}

const LABELS = ['name', 'mode', ...LIMITS.map((field) => separated(field, ' ')), 'contact']

function existsOtherwise(id: string, there: string[], wanted: string[]): RefusedError {
  const differences = LABELS.flatMap((label, at) =>
    there[at] === wanted[at]
      ? []
      : [
          `${label} ${JSON.stringify(there[at] || 'default')}, not ${JSON.stringify(wanted[at] || 'default')}`,
        ],
  )
  return new RefusedError(
    `tenant ${id} exists with ${differences.join('; ')}: to change it, use ${tenantctl('tenant', 'set', id)}`,
  )
}
