import { count } from '../base/count'
import { noSuchTenant } from '../base/errors'
import { LOOKED_CLASSES, lookedKey } from '../mail/classes'
import { addEntry } from '../records/audit-trail'
import { TenantRegistry } from '../registry/tenant-registry'
import type { Filter } from '../reporting/filter'
import { ReportReader } from '../reporting/reader'
import { needsRows, readReport, type Dimensions, type TenantReport } from '../reporting/report'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { assertHourly, rowSpanOf, spanOf, type RowSpan, type SpanOptions } from './report-span'

/** As in Exchange Online's report. */
export const USUAL_DIMENSIONS: Dimensions = ['day', 'connector', 'domain']

/** What is asked of reports. */
export interface ReportRequest extends SpanOptions {
  /** `undefined`: all tenants that have sent such mail. */
  readonly tenant: string | undefined
  readonly by: Dimensions
  readonly filters: readonly Filter[]
}

/** A report and the request it answers. */
export interface Report {
  readonly from: number
  readonly to: number
  readonly by: Dimensions
  readonly tenants: readonly TenantReport[]
  /** Whether one tenant was requested. */
  readonly single: boolean
  /** When it was read: ms, server time. */
  readonly now: number
  /** The only class that was requested. */
  readonly class: string | undefined
  /** How the span differs from the one that was requested. */
  readonly note: string | undefined
}

/**
 * Reads the report of a tenant, or of all.
 *
 * @param kept how long reports are kept, in days.
 * @throws {InputError} a bad span.   @throws {NotFoundError} no such tenant, and no report of it.
 */
export async function readReports(
  store: Store,
  { tenant, by, filters, ...options }: ReportRequest,
  kept: number,
): Promise<Report> {
  const now = await serverTime(store.client)
  const asked = spanOf(options, now, kept)
  const rowsNeeded = needsRows(by, filters)
  if (by.includes('hour') && rowsNeeded) assertHourly(asked, now)
  const span: RowSpan = rowsNeeded
    ? rowSpanOf(asked, now)
    : { ...asked, step: 'day', note: undefined }
  const reader = new ReportReader(store)
  const ids = tenant === undefined ? await reader.reported(span.from) : [tenant]
  const tenants: TenantReport[] = []
  // One after the other: each reads many keys.
  for (const id of ids) tenants.push(await readReport(reader, id, { ...span, by, filters }))
  const found = tenants.filter(
    ({ lines, ...looked }) =>
      lines.length > 0 || LOOKED_CLASSES.some((each) => looked[lookedKey(each)]?.mismatched),
  )
  const single = tenant !== undefined
  // The reports of a removed tenant can still be read.
  if (single && found.length === 0 && !(await new TenantRegistry(store).get(tenant))) {
    throw noSuchTenant(tenant)
  }
  return {
    ...{ from: span.from, to: span.to, now, by, tenants: single ? tenants : found, single },
    class: filters.find(({ key }) => key === 'class')?.value,
    note: span.note,
  }
}

/**
 * Says in the audit trail of a tenant that its report left this server in a file.
 *
 * @param what the command that prints the same.
 */
export async function noteExport(
  store: Store,
  tenant: string,
  { what, rows }: { readonly what: string; readonly rows: number },
): Promise<void> {
  const to = `${count(rows, 'row')}, as ${what}`
  await addEntry(store, store.keys.audit(tenant), { subject: tenant, what: 'report exported', to })
}
