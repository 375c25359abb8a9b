import { count } from '../../base/count'
import { isoTime, shortTime } from '../../base/time'
import type { KnownChange, WentBack } from '../../operations/lost-changes'
import type { Restored } from '../../operations/restore-known'
import { METER_NAMES, METERS } from '../../mail/meters'
import { temporaryField } from '../../mail/temporary'
import { describeConnector } from '../../registry/connector-audit'
import { decodeConnector } from '../../registry/connector-reader'
import { parseFlags } from '../../registry/formats'
import {
  markTime,
  OWNERS,
  spanOfLoss,
  subjectText,
  type LostReport,
  type MissingChange,
} from '../../registry/lost-changes'
import type { Output } from '../kit/output'

/** What Redis has lost, as JSON. */
export function wentBackView(report: WentBack): object {
  const { from, to } = spanOfLoss(report)
  return {
    ...{ from: from === 0 ? null : isoTime(from), to: isoTime(to), noticed: isoTime(report.since) },
    put_back: report.putBack.map(({ subject, what, case: name, time }) => ({
      ...{ subject, what, case: name || null, time: isoTime(time) },
    })),
    lost: report.changes.map(changeView),
    owners: report.lost.some(({ subject }) => subject === OWNERS),
    more: moreOf(report),
    missing: report.missing.map(({ subject, known }) => ({
      ...{ subject, time: isoTime(markTime(known)) },
    })),
  }
}

/** One change, as JSON. */
export function changeView({ subject, what, was, is, state }: KnownChange): object {
  return { subject, what, before: is, in_redis: was, state }
}

/** The result of `registry restore-known`, as JSON. */
export function restoredView({ written, skipped, leftOut }: Restored): object {
  return {
    written: written.map(changeView),
    skipped: skipped.map(changeView),
    left_out: leftOut.map((change) => ({ ...changeView(change), why: change.why })),
  }
}

/** Prints what was lost, as a table of what Redis held before and what it holds now. */
export function printLost(out: Output, { changes, ...report }: WentBack): void {
  if (changes.length > 0) printChanges(out, changes)
  if (changes.some(({ what, state }) => state === 'lost' && LIMITS.has(what))) {
    out.line('limits: those IN REDIS are counted with until restore-known')
  }
  if (report.lost.some(({ subject }) => subject === OWNERS)) {
    out.line(`${subjectText(OWNERS)}: restore-known reconciles them with the domains of tenants`)
  }
  const more = moreOf(report)
  if (more > 0) out.line(`and ${count(more, 'more change')}, which Haraka reports after these`)
}

function printChanges(out: Output, changes: readonly KnownChange[]): void {
  const tones = { lost: 'warn', restored: 'good', overtaken: 'faint' } as const
  out.table(
    ['SUBJECT', 'WHAT', 'BEFORE', 'IN REDIS', ''],
    changes.map(({ subject, what, was, is, state }) => [
      subject,
      what,
      valueText(subject, what, is),
      valueText(subject, what, was),
      { text: STATES[state], tone: tones[state] },
    ]),
    'none',
  )
}

/** Prints the changes that no process knows. */
export function printMissing(out: Output, missing: readonly MissingChange[]): void {
  for (const { subject, known } of missing) {
    out.line(`  ${subjectText(subject)}: last changed at ${shortTime(markTime(known))}`)
  }
}

const LIMITS = new Set<string>(
  METER_NAMES.map((meter) => METERS[meter].limitsField).flatMap((field) => [
    field,
    temporaryField(field),
  ]),
)

const STATES = {
  lost: '',
  restored: 'Redis has it again',
  overtaken: 'changed since',
} satisfies Record<KnownChange['state'], string>

function moreOf({ lost }: Pick<LostReport, 'lost'>): number {
  return lost.reduce((sum, { more }) => sum + more, 0)
}

function valueText(subject: string, what: string, value: string | null): string {
  if (what === 'connector') return value === null ? 'none' : connectorText(subject, value)
  if (what === 'tenant') return value === null ? 'none' : `registered ${shortTime(Number(value))}`
  if (!what.startsWith('domain ')) return value ?? 'default'
  if (value === null) return 'not accepted'
  const { subdomains, shared } = parseFlags(value)
  return [
    'accepted',
    ...(subdomains ? ['with subdomains'] : []),
    ...(shared ? ['shared'] : []),
  ].join(', ')
}

function connectorText(id: string, json: string): string {
  try {
    return describeConnector(decodeConnector(id, json))
  } catch {
    return json
  }
}
