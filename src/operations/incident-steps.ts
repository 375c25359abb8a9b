import { tenantctl } from '../base/command-line'
import { count } from '../base/count'
import type { Step } from '../cases/case'
import { formatLimits, type Limits } from '../mail/limits'
import { connectorName } from '../mail/identities'
import { OTHER } from '../reporting/rows'
import type { Amount } from '../outbound/order'
import type { ConnectorShare } from '../reporting/shares'
import { messages } from '../reporting/sum'
import { amountText } from './queue'

/** A connector around an incident: its share of the unregistered mail, its registered mail, and whether it relays. */
export interface ConnectorFlow extends ConnectorShare {
  /** Why it relays nothing now; `undefined`: it relays, or none matched. */
  readonly stopped: 'blocked' | 'disabled' | 'removed' | undefined
}

/** What {@link stepsFor} decides by. */
export interface IncidentFacts {
  readonly tenant: string
  readonly restricted: boolean
  /** Of the latest case: its name, the steps that are not ticked, and whether it is closed; `undefined`: there is none. */
  readonly case:
    { readonly name: string; readonly open: readonly Step[]; readonly closed: boolean } | undefined
  readonly flows: readonly ConnectorFlow[]
  /** Recipients that were tried without a registered domain in the last {@link GOING_ON} minutes. */
  readonly lately: number
  /** What could be dropped from the queues, by connector (`tenant/name`, or empty). */
  readonly queued: ReadonlyMap<string, Amount>
  /** Unregistered domains that are probably the tenant's own. */
  readonly own: readonly string[]
  /** The limits of the usual meter. */
  readonly limits: Limits
}

/** One thing to do, with the command that does the same, and why it is proposed. */
export type IncidentStep = Readonly<{ why: string; command: string }> &
  (
    | { readonly what: 'block connector'; readonly name: string }
    | { readonly what: 'drop'; readonly connector: string }
    | { readonly what: 'register'; readonly domains: readonly string[] }
    | { readonly what: 'tick'; readonly case: string; readonly steps: readonly Step[] }
    | { readonly what: 'unblock'; readonly limits: string | undefined; readonly for: string }
    | { readonly what: 'close'; readonly case: string }
  )

/** Mail of so many minutes says whether it still goes on. */
export const GOING_ON = 5
/** A connector with at least this share of the unregistered recipients is proposed to be stopped. */
const SUSPECT = 0.25
/** What probation allows of the tenant's own limits, and for how long. */
const PROBATION_SHARE = 0.2
const PROBATION_FOR = '7d'
/** Domains in one command at most, so that a person reads them. */
const MOST_DOMAINS = 10

/** What a person would do next about an incident, in this order: stop it, clean up, register, check, let go. */
export function stepsFor(facts: IncidentFacts): IncidentStep[] {
  const { restricted } = facts
  return [
    ...stops(facts),
    ...drops(facts),
    ...registrations(facts),
    ...ticks(facts),
    ...(restricted ? [lift(facts)] : closing(facts)),
  ]
}

/** The default reason of what is done about it. */
export function reasonOf({ case: record, tenant }: Pick<IncidentFacts, 'case' | 'tenant'>): string {
  return record ? `case ${record.name}` : `incident of ${tenant}`
}

function stops(facts: IncidentFacts): IncidentStep[] {
  const { tenant, flows } = facts
  return flows.flatMap((flow) => {
    const { value, share, stopped } = flow
    const name = connectorName(value)
    if (name === '' || value === OTHER || stopped || share < SUSPECT) return []
    return [
      {
        what: 'block connector',
        name,
        why: stopText(flow),
        command: tenantctl('connector', 'block', tenant, name, '--reason', reasonOf(facts)),
      },
    ]
  })
}

/** What came through a connector, and what else stops with it. */
export function stopText({ share, registered, ...tried }: ConnectorFlow): string {
  const passed = messages(registered)
  const also =
    passed === 0
      ? 'no registered mail came through it in the last two hours'
      : `its registered mail stops too (${count(passed, 'message')} in the last two hours)`
  return `${Math.round(100 * share)} % of the unregistered recipients came through it (${amountText(tried)}); ${also}`
}

function drops({ tenant, queued }: IncidentFacts): IncidentStep[] {
  return [...queued].map(([connector, amount]) => {
    const name = connectorName(connector)
    return {
      what: 'drop',
      connector,
      why: `${amountText(amount)} of ${name === '' ? 'no connector' : name} wait in the queue; the senders get no bounce`,
      command: tenantctl('queue', tenant, 'drop', '--where', `connector=${name}`),
    }
  })
}

function registrations({ tenant, own }: IncidentFacts): IncidentStep[] {
  if (own.length === 0) return []
  const domains = own.slice(0, MOST_DOMAINS)
  return [
    {
      what: 'register',
      domains,
      why: `by name and mail they are probably its own (${tenantctl('suggest', tenant)} also asks DNS); ask the tenant first`,
      command: tenantctl('domain', 'add', tenant, ...domains),
    },
  ]
}

function ticks({ case: record }: IncidentFacts): IncidentStep[] {
  if (!record || record.closed || record.open.length === 0) return []
  const { name, open } = record
  return [
    {
      what: 'tick',
      case: name,
      steps: open,
      why: `not ticked: ${open.join(', ')}`,
      command: `${tenantctl('case', 'check', name, ...open)} --note …`,
    },
  ]
}

function lift(facts: IncidentFacts): IncidentStep {
  const { tenant, lately, limits } = facts
  const smaller = smallerLimits(limits)
  const terms = smaller === undefined ? [] : ['--limits', smaller, '--for', PROBATION_FOR]
  return {
    what: 'unblock',
    limits: smaller,
    for: PROBATION_FOR,
    why: goesOnText(lately),
    command: tenantctl('unblock', tenant, '--reason', reasonOf(facts), ...terms),
  }
}

/** Whether it still goes on. @param lately recipients of the last {@link GOING_ON} minutes. */
export function goesOnText(lately: number): string {
  return lately === 0
    ? `nothing unregistered was tried in the last ${GOING_ON} minutes`
    : `not yet: it goes on, ${count(lately, 'unregistered recipient')} in the last ${GOING_ON} minutes`
}

function closing({ case: record }: IncidentFacts): IncidentStep[] {
  if (!record || record.closed) return []
  return [
    {
      what: 'close',
      case: record.name,
      why: 'its restriction is lifted',
      command: tenantctl('case', 'close', record.name),
    },
  ]
}

/** A fifth of the limits; `undefined`: they are unlimited, or too small for less. */
function smallerLimits(limits: Limits): string | undefined {
  const smaller = limits.map((limit) => ({
    ...limit,
    count: Math.floor(limit.count * PROBATION_SHARE),
  }))
  return smaller.length > 0 && smaller.every((each) => each.count > 0)
    ? formatLimits(smaller)
    : undefined
}
