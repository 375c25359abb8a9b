import type { AuditEntry } from '../audit/entry'
import type { RestrictedEvent } from '../events/event'
import type { WindowUsage } from '../allowance/usage'
import type { Mode } from '../mode'
import type { DatedSample, HourReport } from '../reporting/reader'
import type { Source } from '../reporting/rows'
import type { Sum } from '../reporting/sum'

/** Those with the most recipients, of each kind of source. */
export type Top = Readonly<Record<keyof Source, readonly Sum<string>[]>>

/**
 * What is known when a tenant has just been restricted: kept as it was then, since windows move on and reports are kept
 * for some time only. With all that a hostile sender can choose it takes less than 200 KB, usually about 10 KB: all
 * lists and texts in it are bounded.
 */
export interface Evidence {
  /** Of this shape. */
  readonly version: 1
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
  /** The meter when this was read. */
  readonly unregistered: readonly WindowUsage[]
  readonly null: readonly WindowUsage[]
  /** Of the 24 hours before. */
  readonly hours: readonly HourReport[]
  readonly top: Top
  /** About how many sender domains have no row of their own. */
  readonly otherDomains: number
  /** Newest first. */
  readonly samples: readonly DatedSample[]
  /** What was changed of the tenant in the 30 days before, newest first. */
  readonly changes: readonly AuditEntry[]
}

/** What is left of a text in it. */
export const LONGEST_TEXT = 200

/** Reads what was frozen. */
export function parseEvidence(text: string): Evidence {
  return JSON.parse(text) as Evidence
}
