import { clean } from '../base/safe-text'
import type { Alert } from '../records/event'
import { countOf, factsOf } from './formats/facts'

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
  const { severity, title, facts, next, url } = alert
  return {
    subject: subjectOf(`${severity}: ${title}${countOf(alert)}`),
    lines: [
      title,
      '',
      ...aligned(factsOf(alert)),
      ...(url === undefined ? [] : ['', 'Open in the console:', `  ${url}`]),
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
