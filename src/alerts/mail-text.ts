import { formatWindow } from '../mail/limits'
import type { Alert } from '../records/event'
import { clean } from '../base/safe-text'
import { isoTime } from '../base/time'

/** Subject and lines of a mail, without control characters. */
export interface MailText {
  readonly subject: string
  readonly lines: readonly string[]
  /** Marks the mail as important. */
  readonly urgent: boolean
}

const LONGEST_SUBJECT = 200

/** The mail to operators: every fact of the alert. */
export function operatorText(alert: Alert): MailText {
  const { kind, severity, title, tenant, at, count, facts, next, id } = alert
  const [unit, times] = kind === 'many_restricted' ? ['tenants', 'so far'] : ['events', 'times']
  const what: [string, string][] = [
    ['severity', severity],
    ...(tenant === '' ? [] : ([['tenant', tenant]] as [string, string][])),
    ['time', at],
    ...(count > 1 ? ([[unit, String(count)]] as [string, string][]) : []),
    ...factLines(facts),
    ['event', id],
  ]
  return {
    subject: subjectOf(`${severity}: ${title}${count > 1 ? ` (${count} ${times})` : ''}`),
    lines: [
      title,
      '',
      ...aligned(what),
      '',
      'What to do next:',
      ...next.map((step) => `  ${step}`),
    ].map(clean),
    urgent: severity === 'High' && facts['escalated'] === true,
  }
}

export function subjectOf(text: string): string {
  const subject = clean(text)
  return subject.length > LONGEST_SUBJECT ? `${subject.slice(0, LONGEST_SUBJECT)}…` : subject
}

/** `name  value` lines. */
export function aligned(facts: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...facts.map(([name]) => name.length))
  return facts.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
}

/** One line for each fact; a nested fact is named after both. */
function factLines(facts: object, above = ''): [string, string][] {
  return Object.entries(facts).flatMap(([name, value]: [string, unknown]): [string, string][] => {
    const full = above + name
    if (Array.isArray(value)) {
      const each = value.map((item: unknown) =>
        isFacts(item)
          ? Object.entries(item).map(([key, text]) => `${key} ${formatFact(key, text)}`)
          : [formatFact(name, item)],
      )
      return each.map((parts) => [full, parts.join(', ')])
    }
    return isFacts(value) ? factLines(value, `${full} `) : [[full, formatFact(name, value)]]
  })
}

function isFacts(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

const TIMES: ReadonlySet<string> = new Set(['until', 'from', 'to'])

/** Writes windows and times as people do. */
function formatFact(name: string, value: unknown): string {
  if (typeof value === 'number' && name === 'window') return formatWindow(value)
  if (typeof value === 'number' && TIMES.has(name)) return isoTime(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}
