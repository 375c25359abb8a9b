import { openSteps, STEPS, type Case, type Remark, type Step } from '../../cases/case'
import type { Findings } from '../../cases/findings'
import { isoTime } from '../../base/time'
import { headerFromView } from './header-from'
import { triggerView, type TriggerView } from './restriction'

/** A remark of a person, as JSON. */
interface RemarkView {
  /** ISO 8601 UTC */
  readonly at: string
  readonly by: string
  readonly text: string
}

/** A case, as JSON. */
export interface CaseView {
  readonly case: string
  readonly tenant: string
  readonly state: 'open' | 'closed'
  readonly opened: string
  readonly by: string
  readonly reason: string
  readonly scope: string
  readonly trigger: TriggerView | null
  readonly on_probation: boolean
  readonly event: string | null
  readonly checklist: readonly ({ readonly step: Step } & (RemarkView | { readonly at: null }))[]
  readonly open_steps: readonly Step[]
  readonly notes: readonly RemarkView[]
  /** Who is on it. */
  readonly taken: TakenView | null
  readonly lifted: RemarkView | null
  readonly probation: { readonly limits: string; readonly until: string } | null
  readonly closed: RemarkView | null
}

export function caseView(of: Case): CaseView {
  const { ticks, probation, trigger } = of
  return {
    case: of.name,
    tenant: of.tenant,
    state: of.closed ? 'closed' : 'open',
    opened: isoTime(of.opened),
    by: of.by,
    reason: of.reason,
    scope: of.scope,
    trigger: trigger ? triggerView(trigger) : null,
    on_probation: of.onProbation,
    event: of.event || null,
    checklist: STEPS.map((step) => ({ step, ...(remarkView(ticks.get(step)) ?? { at: null }) })),
    open_steps: openSteps(of),
    notes: of.notes.flatMap((note) => remarkView(note) ?? []),
    taken: takenView(of.taken),
    lifted: remarkView(of.lifted),
    probation: probation ? { ...probation, until: isoTime(probation.until) } : null,
    closed: remarkView(of.closed),
  }
}

/** The recorded facts for the checklist, as JSON. */
export function findingsView(findings: Findings): object {
  const { domains, foreign, connectors, ips, users, headerFrom } = findings
  return {
    unexplained_domains: domains,
    foreign_domains: foreign,
    connectors_to_review: connectors,
    ips: ips.map(({ source, recipients }) => ({ ip: source, recipients })),
    users: users.map(({ source, recipients }) => ({ user: source, recipients })),
    header_from: headerFromView(headerFrom),
  }
}

/** Who is on a case, as JSON. */
export type TakenView = Pick<RemarkView, 'at' | 'by'>

export function takenView(taken: Remark | undefined): TakenView | null {
  return taken ? { at: isoTime(taken.at), by: taken.by } : null
}

function remarkView(remark: Remark | undefined): RemarkView | null {
  return remark ? { at: isoTime(remark.at), by: remark.by, text: remark.text } : null
}
