// What a tenants file says.
import { METER_NAMES, METERS, separated } from '../mail/meters'
import type { Identities } from '../mail/tenant'
import type { DomainEntry } from '../registry/domain-entries'
import type { TenantSettings } from '../registry/tenant-registry'
import type { Place } from './yaml'

/** A tenants file without mistakes in itself, whatever Redis holds. */
export interface TenantsFile {
  readonly filename: string
  /** Marks in Redis what comes from this file; `undefined`: the file is empty, and there is nothing to apply. */
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
  /** It is registered even if it belongs to a mailbox provider. */
  readonly force: boolean
}

export interface FileConnector {
  readonly name: string
  readonly place: Place
  /** Only the kinds that the file mentions. */
  readonly identities: Partial<Identities>
  readonly enabled: boolean | undefined
  /** Of each identity (a field as `identityFields` writes it). */
  readonly places: ReadonlyMap<string, Place>
}

/** Keys of a tenant, with the setting that each is. */
export const SETTING_KEYS: ReadonlyMap<string, keyof TenantSettings> = new Map([
  ['name', 'name'],
  ['mode', 'mode'],
  ...METER_NAMES.map((meter) => {
    const { limitsField } = METERS[meter]
    return [separated(limitsField, '_'), limitsField] as const
  }),
  ['contact', 'contact'],
])
