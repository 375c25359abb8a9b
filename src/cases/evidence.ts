import type { AuditEntry } from '../records/audit-entry'
import type { RestrictedEvent } from '../records/event'
import type { MeterWindows } from '../allowance/usage'
import type { Mode } from '../mail/mode'
import { NOTHING } from '../reporting/counts'
import type { OwnedRow } from '../reporting/foreign'
import type { DatedSample, HourReport } from '../reporting/reader'
import {
  KNOWN_CLASSES,
  LOOKED_CLASSES,
  lookedKey,
  USUAL_CLASS,
  type LookedKey,
  type SourceClass,
} from '../mail/classes'
import type { LimitsField, USUAL_METER } from '../mail/meters'
import type { LookedAt } from '../reporting/report'
import type { Source } from '../reporting/rows'
import type { Sum } from '../reporting/sum'

/** A sender domain: once for each class that its mail had. */
export type DomainSum = Sum<string> & { readonly class: SourceClass }

/** Those with the most recipients, of each kind of source. */
interface Top extends Readonly<
  Record<Exclude<keyof Source, 'domain'>, readonly Sum<string>[]>
> {
  readonly domain: readonly DomainSum[]
}

/** The meters when this was read, and their limits in canonical text; absent where the tenant had no such meter. */
export type EvidenceMeters = Readonly<Partial<Record<LimitsField, string>>> &
  Readonly<{ limits: string }> &
  Partial<MeterWindows> &
  Pick<MeterWindows, typeof USUAL_METER>

/**
 * What is known when a tenant has just been restricted: kept as it was then, since windows move on and reports are kept
 * for some time only. With all that a hostile sender can choose it takes less than 250 KB, usually about 10 KB: all
 * lists and texts in it are bounded.
 */
export interface Evidence extends EvidenceMeters, LookedAt {
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
  /** Where the limits of the usual meter come from. */
  readonly limitsFrom: 'tenant' | 'default' | 'probation'
  /** Of the 24 hours before. */
  readonly hours: readonly HourReport[]
  readonly top: Top
  /** About how many sender domains have no row of their own. */
  readonly otherDomains: number
  /** Domains of other tenants, of the days that the 24 hours lie in, with their owners; the most recipients first. */
  readonly foreign: readonly OwnedRow[]
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
  return withLaterClasses(evidence.version === 1 ? completed(evidence) : evidence)
}

const NOT_LOOKED = { looked: 0, mismatched: 0 }

/** What is in it of classes that the version did not know which wrote it: nothing. */
function withLaterClasses(evidence: Omit<Evidence, LookedKey>): Evidence {
  const counts = KNOWN_CLASSES.map((each) => [each, NOTHING])
  const looked = LOOKED_CLASSES.map((each) => [lookedKey(each), NOT_LOOKED])
  const none = Object.fromEntries([...counts, ...looked]) as Omit<HourReport, 'at'>
  const unknown = LOOKED_CLASSES.map((each) => [lookedKey(each), undefined])
  return {
    ...(Object.fromEntries(unknown) as LookedAt),
    ...evidence,
    hours: evidence.hours.map((hour) => ({ ...none, ...hour })),
  }
}

interface EarlierEvidence extends Omit<
  Evidence,
  'version' | 'top' | 'samples' | 'foreign' | LookedKey
> {
  readonly version: 1
  readonly top: Readonly<Record<keyof Source, readonly Sum<string>[]>>
  readonly samples: readonly Omit<DatedSample, 'class'>[]
}

function completed(earlier: EarlierEvidence): Omit<Evidence, LookedKey> {
  const { top, samples } = earlier
  const usual = { class: USUAL_CLASS } as const
  return {
    ...earlier,
    version: 2,
    top: { ...top, domain: top.domain.map((sum) => ({ ...sum, ...usual })) },
    samples: samples.map((sample) => ({ ...sample, ...usual })),
    foreign: [],
  }
}
