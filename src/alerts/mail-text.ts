import { formatWindow } from '../mail/limits'
import type { Alert } from '../records/event'
import { clean } from '../base/safe-text'
import { isoTime } from '../base/time'

/** What a mail says. Every line is clean. */
export interface MailText {
  readonly subject: string
  readonly lines: readonly string[]
  /** Mail programs are to show it before others. */
  readonly urgent: boolean
}

const LONGEST_SUBJECT = 200

/** What operators get: all that the alert knows. */
export function operatorText(alert: Alert): MailText {
  const { severity, title, tenant, at, count, facts, next, id } = alert
  const what: [string, string][] = [
    ['severity', severity],
    ...(tenant === '' ? [] : ([['tenant', tenant]] as [string, string][])),
    ['time', at],
    ...(count > 1 ? ([['events', String(count)]] as [string, string][]) : []),
    ...factLines(facts),
    ['event', id],
  ]
  return {
    subject: subjectOf(`${severity}: ${title}${count > 1 ? ` (${count} times)` : ''}`),
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

/** A line for each fact; what is in another one is named after both. */
function factLines(facts: object, above = ''): [string, string][] {
  return Object.entries(facts).flatMap(([name, value]: [string, unknown]): [string, string][] => {
    const full = above + name
    if (Array.isArray(value)) {
      const each = value.map((item: unknown) =>
        isFacts(item)
          ? Object.entries(item).map(([key, text]) => `${key} ${say(key, text)}`)
          : [say(name, item)],
      )
      return each.map((parts) => [full, parts.join(', ')])
    }
    return isFacts(value) ? factLines(value, `${full} `) : [[full, say(name, value)]]
  })
}

function isFacts(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** A length of time and a moment as people write them. */
function say(name: string, value: unknown): string {
  if (typeof value === 'number' && name === 'window') return formatWindow(value)
  if (typeof value === 'number' && name === 'until') return isoTime(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}
