import type { AuditEntry } from '../records/audit-entry'
import type { RestrictedEvent } from '../records/event'
import type { MeterWindows } from '../allowance/usage'
import type { Mode } from '../mail/mode'
import { NOTHING } from '../reporting/counts'
import type { OwnedRow } from '../reporting/foreign'
import type { MinuteRow } from '../reporting/minutes'
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
import { packMinutes, unpackMinutes, type PackedMinutes } from './packed-minutes'

/** A sender domain; one for each class of its mail. */
export type DomainSum = Sum<string> & { readonly class: SourceClass }

/** The sources of each kind with the most recipients. */
interface Top extends Readonly<Record<Exclude<keyof Source, 'domain'>, readonly Sum<string>[]>> {
  readonly domain: readonly DomainSum[]
}

/** Meters when the evidence was read, and their limits in canonical text; absent if the tenant had no such meter. */
export type EvidenceMeters = Readonly<Partial<Record<LimitsField, string>>> &
  Readonly<{ limits: string }> &
  Partial<MeterWindows> &
  Pick<MeterWindows, typeof USUAL_METER>

/**
 * The facts at the time of a restriction, frozen since windows move on and reports expire. All lists and texts are
 * bounded: usually 10 to 30 KB, less than 350 KB whatever a hostile sender chooses.
 */
export interface Evidence extends EvidenceMeters, LookedAt {
  /** Version 1 lacked foreign and forwarded mail and the header From: see {@link parseEvidence}. */
  readonly version: 2
  readonly tenant: string
  /** `tenant:number` */
  readonly case: string
  /** The event, with the meter at that moment. */
  readonly event: RestrictedEvent
  /** When the evidence was read: ms since the epoch, server time. */
  readonly frozenAt: number
  /** The process that read it. */
  readonly node: { readonly host: string; readonly pid: number }
  readonly mode: Mode
  /** Where the limits of the usual meter come from. */
  readonly limitsFrom: 'tenant' | 'default' | 'probation' | 'temporary'
  /** The 24 hours before. */
  readonly hours: readonly HourReport[]
  readonly top: Top
  /** Estimated number of sender domains without their own row. */
  readonly otherDomains: number
  /** Foreign domains with their owners, in the days that overlap the 24 hours; the most recipients first. */
  readonly foreign: readonly OwnedRow[]
  /**
   * All mail by the minute, class and connector, from two hours before the restriction to one hour after it, oldest first:
   * three connectors of each class, then `(other)`.
   */
  readonly minutes: readonly MinuteRow[]
  /** Whether the hour after is over, and all of it among them. */
  readonly minutesComplete: boolean
  /** Newest first. */
  readonly samples: readonly DatedSample[]
  /** Changes of the tenant in the 30 days before, newest first. */
  readonly changes: readonly AuditEntry[]
}

/** Longer texts are cut to this length. */
export const LONGEST_TEXT = 200

/** Evidence as it is kept. */
type KeptEvidence = Omit<Evidence, 'minutes' | 'minutesComplete'> & {
  /** Absent: it is older than minutes. */
  readonly minutes?: readonly PackedMinutes[]
  readonly minutesComplete?: boolean
}

/** The text that is kept of evidence. */
export function formatEvidence(evidence: Evidence): string {
  return JSON.stringify({ ...evidence, minutes: packMinutes(evidence.minutes, evidence.event.at) })
}

/** Reads kept evidence, also of earlier versions. */
export function parseEvidence(text: string): Evidence {
  const kept = JSON.parse(text) as KeptEvidence | EarlierEvidence
  const evidence = withLaterClasses(kept.version === 1 ? completed(kept) : kept)
  const { minutes = [], minutesComplete = false } = evidence
  return { ...evidence, minutes: unpackMinutes(minutes, evidence.event.at), minutesComplete }
}

const NOT_CHECKED = { looked: 0, mismatched: 0 }

/** Adds zero counts for classes that are newer than the evidence. */
function withLaterClasses(evidence: Omit<KeptEvidence, LookedKey>): KeptEvidence {
  const counts = KNOWN_CLASSES.map((each) => [each, NOTHING])
  const looked = LOOKED_CLASSES.map((each) => [lookedKey(each), NOT_CHECKED])
  const none = Object.fromEntries([...counts, ...looked]) as Omit<HourReport, 'at'>
  const unknown = LOOKED_CLASSES.map((each) => [lookedKey(each), undefined])
  return {
    ...(Object.fromEntries(unknown) as LookedAt),
    ...evidence,
    hours: evidence.hours.map((hour) => ({ ...none, ...hour })),
  }
}

interface EarlierEvidence extends Omit<
  KeptEvidence,
  'version' | 'top' | 'samples' | 'foreign' | LookedKey
> {
  readonly version: 1
  readonly top: Readonly<Record<keyof Source, readonly Sum<string>[]>>
  readonly samples: readonly Omit<DatedSample, 'class'>[]
}

function completed(earlier: EarlierEvidence): Omit<KeptEvidence, LookedKey> {
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
