import { tenantctl } from '../../base/command-line'
import { STEP_WORDS, STEPS, type Case, type Remark, type Step } from '../../cases/case'
import type { Findings } from '../../cases/findings'
import { describeTrigger } from '../../mail/trigger'
import { shortTime } from '../../base/time'
import { headerFromText } from './header-from'
import type { Cell, Output } from '../kit/output'
import { ownedText } from './owned'

/** The state of a case, for people. */
export function stateOf({ closed, lifted }: Case): Cell {
  if (closed) return { text: 'closed', tone: 'faint' }
  return lifted ? { text: 'lifted', tone: 'warn' } : { text: 'restricted', tone: 'bad' }
}

/** Who is on a case, for people. */
export function takenText({ by, at }: Remark): string {
  return `by ${by} since ${shortTime(at)}`
}

/** A case, its checklist, and the facts for each step. */
export function printCase(out: Output, shown: Case, findings: Findings): void {
  const { trigger, taken, lifted, probation, closed, ticks, notes } = shown
  const facts: [string, Cell][] = [
    ['case', shown.name],
    ['state', stateOf(shown)],
    ['opened', `${shortTime(shown.opened)} by ${shown.by}`],
    ['reason', shown.reason],
  ]
  if (taken) facts.push(['taken', takenText(taken)])
  if (trigger) facts.push(['trigger', describeTrigger(trigger)])
  if (lifted) facts.push(['lifted', said(lifted)])
  if (probation)
    facts.push(['probation', `${probation.limits} until ${shortTime(probation.until)}`])
  if (closed) facts.push(['closed', said(closed)])
  out.facts(facts)
  out.line()
  out.table(
    ['STEP', 'DONE', 'WHAT'],
    STEPS.map((step) => {
      const tick = ticks.get(step)
      if (!tick) return [step, { text: 'no', tone: 'bad' as const }, STEP_WORDS[step]]
      return [step, { text: 'yes', tone: 'good' as const }, said(tick)]
    }),
    '',
  )
  out.line()
  for (const step of STEPS) printKnown(out, step, shown, findings)
  section(out, 'notes', notes.map(said))
}

/** The recorded facts for one step; there are none for the last one. */
export function printKnown(
  out: Output,
  step: Step,
  { tenant }: Case,
  { domains, foreign, connectors, ips, users, headerFrom }: Findings,
): void {
  switch (step) {
    case 'domains':
      section(
        out,
        'domains that mail was accepted from, and that are not registered',
        domains.map(({ domain, accepted }) => `${domain}  ${recipientsOf(accepted)}`),
      )
      if (domains.length > 0) out.line(`  which may be its own: ${tenantctl('suggest', tenant)}`)
      if (foreign.length > 0) {
        section(
          out,
          'domains of other tenants: a wrong connector, or a takeover',
          foreign.map((each) => `${ownedText(each)}  ${recipientsOf(each.recipients)}`),
        )
      }
      break
    case 'connectors':
      section(
        out,
        'connectors to look at',
        connectors.map(({ connector, why }) => `${connector}  ${why}`),
      )
      break
    case 'servers':
      section(out, 'where it came from', [
        ...ips.map(({ source, recipients }) => `${source}  ${recipientsOf(recipients)}`),
        ...users.map(({ source, recipients }) => `user ${source}  ${recipientsOf(recipients)}`),
      ])
      if (headerFrom.mismatched > 0) out.line(headerFromText(headerFrom))
      break
    case 'proof':
  }
}

const MOST_PRINTED = 10

function section(out: Output, title: string, lines: readonly string[]): void {
  out.line(`${title}: ${lines.length === 0 ? 'none' : ''}`.trimEnd())
  for (const line of lines.slice(0, MOST_PRINTED)) out.line(`  ${line}`)
  if (lines.length > MOST_PRINTED) {
    out.line(`  and ${lines.length - MOST_PRINTED} more, in --json`)
  }
}

function recipientsOf(number: number): string {
  return number === 1 ? '1 recipient' : `${number} recipients`
}

function said({ at, by, text }: Remark): string {
  return `${shortTime(at)} by ${by}${text === '' ? '' : `: ${text}`}`
}
