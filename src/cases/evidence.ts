import type { AuditEntry } from '../records/audit-entry'
import type { RestrictedEvent } from '../records/event'
import type { WindowUsage } from '../allowance/usage'
import type { Mode } from '../mail/mode'
import { NOTHING } from '../reporting/counts'
import type { OwnedRow } from '../reporting/foreign'
import type { HeaderFrom } from '../reporting/header-from'
import type { DatedSample, HourReport } from '../reporting/reader'
import type { Source, SourceClass } from '../reporting/rows'
import type { Sum } from '../reporting/sum'

/** A sender domain: once for each class that its mail had. */
export type DomainSum = Sum<string> & { readonly class: SourceClass }

/** Those with the most recipients, of each kind of source. */
interface Top extends Readonly<
  Record<Exclude<keyof Source, 'domain'>, readonly Sum<string>[]>
> {
  readonly domain: readonly DomainSum[]
}

/**
 * What is known when a tenant has just been restricted: kept as it was then, since windows move on and reports are kept
 * for some time only. With all that a hostile sender can choose it takes less than 250 KB, usually about 10 KB: all
 * lists and texts in it are bounded.
 */
export interface Evidence {
  /** Of this shape; 1 knew neither foreign and forwarded mail nor the header From: see {@link parseEvidence}. */
  readonly version: 2
  readonly tenant: string
  /** `tenant:number` */
  readonly case: string
  /** What tripped it, with the meter in that moment. */
  readonly event: RestrictedEvent
  /** ms since the epoch, server time: when all this was read. */
  readonly frozenAt: number
  /** The process that did. */
  readonly node: { readonly host: string; readonly pid: number }
  readonly mode: Mode
  /** Canonical text of the allowances in force, and where that of unregistered mail comes from. */
  readonly limits: string
  readonly limitsFrom: 'tenant' | 'default' | 'probation'
  readonly nullLimits: string
  /** Absent: it had no allowance for forwards. */
  readonly forwardedLimits?: string
  readonly forwarded?: readonly WindowUsage[]
  /** The meter when this was read. */
  readonly unregistered: readonly WindowUsage[]
  readonly null: readonly WindowUsage[]
  /** Of the 24 hours before. */
  readonly hours: readonly HourReport[]
  readonly top: Top
  /** About how many sender domains have no row of their own. */
  readonly otherDomains: number
  /** Foreign domains of the days that the 24 hours lie in, with their owners; the most recipients first. */
  readonly foreign: readonly OwnedRow[]
  /** Of the same days; `undefined`: nobody knew. */
  readonly headerFrom: HeaderFrom | undefined
  /** The same of the null sender's mail. */
  readonly nullHeaderFrom: HeaderFrom | undefined
  /** Newest first. */
  readonly samples: readonly DatedSample[]
  /** What was changed of the tenant in the 30 days before, newest first. */
  readonly changes: readonly AuditEntry[]
}

/** What is left of a text in it. */
export const LONGEST_TEXT = 200

/** Reads what was frozen; by an earlier version, too. */
export function parseEvidence(text: string): Evidence {
  const evidence = JSON.parse(text) as Evidence | EarlierEvidence
  return withNullSender(evidence.version === 1 ? completed(evidence) : evidence)
}

const NOT_LOOKED = { looked: 0, mismatched: 0 }

/** Earlier versions did not look at the header From of the null sender's mail. */
function withNullSender(evidence: Evidence): Evidence {
  const hours = evidence.hours.map((hour) => ({ ...{ nullHeaderFrom: NOT_LOOKED }, ...hour }))
  return { ...{ nullHeaderFrom: undefined }, ...evidence, hours }
}

interface EarlierEvidence extends Omit<Evidence, 'version' | 'hours' | 'top' | 'samples'> {
  readonly version: 1
  readonly hours: readonly Omit<
    HourReport,
    'foreign' | 'forwarded' | 'headerFrom' | 'nullHeaderFrom'
  >[]
  readonly top: Readonly<Record<keyof Source, readonly Sum<string>[]>>
  readonly samples: readonly Omit<DatedSample, 'class'>[]
}

function completed(earlier: EarlierEvidence): Evidence {
  const { hours, top, samples } = earlier
  const unregistered = { class: 'unregistered' } as const
  return {
    ...earlier,
    version: 2,
    hours: hours.map((hour) => ({
      ...{ foreign: NOTHING, forwarded: NOTHING },
      ...{ headerFrom: NOT_LOOKED, nullHeaderFrom: NOT_LOOKED },
      ...hour,
    })),
    top: { ...top, domain: top.domain.map((sum) => ({ ...sum, ...unregistered })) },
    samples: samples.map((sample) => ({ ...sample, ...unregistered })),
    foreign: [],
    headerFrom: undefined,
    nullHeaderFrom: undefined,
  }
}
