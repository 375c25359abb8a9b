import type { Ledger, UsageDefaults } from '../allowance/ledger'
import type { Work } from '../base/work'
import { Cases } from '../cases/cases'
import { METER_NAMES, METERS } from '../mail/meters'
import type { Store } from '../store/store'
import { applyTenantsFile, type ApplyReport } from '../tenants-file/apply'
import { SETTING_KEYS, type TenantsFile } from '../tenants-file/tenants-file'
import { pastNewLimits } from './past-limits'

/** How a person applies a tenants file. */
export interface ApplyFileOptions {
  readonly by: string
  readonly dryRun: boolean
  /** A person has seen what goes: see `prune.ts`. */
  readonly prune: boolean
  /** Names that are refused as domains of mailbox providers are. */
  readonly neverRegister: ReadonlySet<string>
}

/** Applies a tenants file, and closes the cases of tenants that it removes. @throws as {@link applyTenantsFile}. */
export function applyFile(
  store: Store,
  file: TenantsFile,
  { by, ...options }: ApplyFileOptions,
  work: Work,
): Promise<ApplyReport> {
  const onRemoved = (tenant: string): Promise<void> => new Cases(store).closeOfRemoved(tenant, by)
  return applyTenantsFile(store, file, { ...options, onRemoved }, work)
}

/** Tenants whose limits the file changes, or would change, and that have reached one of the new ones. */
export function pastLimitsOf(
  meters: { readonly store: Store; readonly ledger: Ledger },
  { tenants }: TenantsFile,
  { changes }: ApplyReport,
  defaults: UsageDefaults,
): Promise<string[]> {
  const changed = new Set(
    changes.filter(({ what }) => LIMITS.has(SETTING_KEYS.get(what) ?? '')).map(({ of }) => of),
  )
  const limits = tenants
    .filter(({ id }) => changed.has(`tenant ${id}`))
    .map(({ id, settings }) => [id, settings] as const)
  return pastNewLimits(meters, new Map(limits), defaults)
}

const LIMITS = new Set<string>(METER_NAMES.map((meter) => METERS[meter].limitsField))
