import { count } from '../../base/count'
import { isoTime, shortTime } from '../../base/time'
import { openSteps } from '../../cases/case'
import { connectorName } from '../../mail/identities'
import { triedIn, triedLately, type Incident, type IncidentMinute } from '../../operations/incident'
import { GOING_ON, type ConnectorFlow, type IncidentStep } from '../../operations/incident-steps'
import { isAnswered, type IncidentQueue } from '../../operations/incident-queue'
import { amountText } from '../../operations/queue'
import { messages, recipients } from '../../reporting/sum'
import { duration, type Cell, type Output } from '../kit/output'
import { stateOf, takenText } from './case-print'
import { caseView } from './case'
import { percent } from './counts'
import { restrictionView } from './restriction'
import { whoOf } from './audit'
import { namesOf, silenceOf } from './queue'
import { printShares, SENDERS, shareView } from './shares'

/** Rows of each kind that are printed; JSON has all. */
const MOST_SHARES = 5
const MOST_CHANGES = 5

/** An incident as JSON. */
export function incidentView(incident: Incident): object {
  const { tenant, mode, now, restriction, from, shares, own } = incident
  return {
    tenant: tenant.id,
    name: tenant.name,
    mode,
    at: isoTime(now),
    restriction: restriction ? restrictionView(restriction) : null,
    case: incident.case ? caseView(incident.case) : null,
    minutes: incident.minutes.map(({ at, ...minute }) => ({ at: isoTime(at), ...minute })),
    since: isoTime(from),
    unregistered: { messages: shares.messages, recipients: shares.recipients },
    connectors: incident.connectors.map(({ registered, stopped, ...share }) => ({
      ...shareView(share),
      registered: { messages: messages(registered), recipients: recipients(registered) },
      stopped: stopped ?? null,
    })),
    domains: shares.domain.map(shareView),
    addresses: shares.ip.map(shareView),
    users: shares.user.map(shareView),
    queue: queueView(incident.queue),
    changes: incident.changes.map(({ at, ...change }) => ({ at: isoTime(at), ...change })),
    own_domains: own,
    steps: incident.steps.map(({ what, why, command }) => ({ what, why, command })),
  }
}

function queueView(queue: IncidentQueue): object {
  const { hosts, silent, failed } = isAnswered(queue) ? queue : NO_HOSTS
  return {
    hosts: hosts.map(({ host, all, held, droppable }) => ({
      ...{ host: host.name, queue: host.directory, ...all },
      ...{ held: held.messages, droppable: droppable.messages },
    })),
    silent: silent.map(({ host }) => host.name),
    failed: failed.map(({ host, reason }) => ({ host: host.name, reason })),
    problem: isAnswered(queue) ? null : queue.problem,
  }
}

const NO_HOSTS = { hosts: [], silent: [], failed: [] }

/** The screen that an operator decides by, without the steps. */
export function printIncident(out: Output, incident: Incident): void {
  printHead(out, incident)
  printMinutes(out, incident.minutes)
  printConnectors(out, incident)
  printShares(out, incident.shares, SENDERS, MOST_SHARES)
  printQueues(out, incident.queue)
  printChanges(out, incident)
}

function printHead(
  out: Output,
  { tenant, mode, now, restriction, minutes, ...incident }: Incident,
): void {
  const title = tenant.name === tenant.id ? tenant.id : `${tenant.id}  ${tenant.name}`
  const facts: [string, Cell][] = [['tenant', title]]
  if (restriction) {
    const what = restriction.scope === 'all' ? 'all relayed mail' : 'unregistered mail'
    const isRefused =
      mode === 'enforce' ? 'is refused' : `would be refused in mode enforce (${mode})`
    const since = `${shortTime(restriction.since)} (${duration(now - restriction.since)})`
    facts.push(
      ['restricted', { text: `since ${since}: ${what} ${isRefused}`, tone: 'bad' }],
      ['by', `${restriction.by}: ${restriction.reason}`],
    )
  } else {
    facts.push(['restricted', { text: `no (mode ${mode})`, tone: 'good' }])
  }
  const tried = triedLately({ minutes })
  const passed = minutes.slice(-GOING_ON).reduce((sum, each) => sum + each.accepted, 0)
  const span = `in the last ${GOING_ON} minutes`
  facts.push([
    'going on',
    tried === 0
      ? { text: `no: nothing unregistered ${span}`, tone: 'good' }
      : {
          text: `yes: ${count(tried, 'unregistered recipient')} ${span}, ${passed} accepted`,
          tone: 'bad',
        },
  ])
  if (incident.case) {
    const { name, ticks, taken } = incident.case
    const state = stateOf(incident.case)
    const left = openSteps(incident.case)
    const todo = left.length === 0 ? 'all steps ticked' : `to tick: ${left.join(', ')}`
    const text = typeof state === 'string' ? state : state.text
    facts.push(['case', `${name} (${text}), ${ticks.size} of ${ticks.size + left.length}; ${todo}`])
    if (taken) facts.push(['taken', takenText(taken)])
  }
  out.facts(facts)
}

function printMinutes(out: Output, minutes: readonly IncidentMinute[]): void {
  out.line()
  if (minutes.every(isQuiet)) {
    out.line(`no mail in the last ${minutes.length} minutes`)
    return
  }
  out.table(
    [
      `LAST ${minutes.length} MINUTES`,
      'ACCEPTED',
      'REFUSED',
      'DEFERRED',
      'REGISTERED',
      'MOSTLY BY',
    ],
    runsOf(minutes).map(([first, last]) => [
      first === last ? clock(first) : `${clock(first)} to ${clock(last)}`,
      number(first.accepted),
      number(first.refused),
      number(first.deferred),
      number(first.registered),
      connectorName(first.connector),
    ]),
    '',
  )
}

/** Each minute, and quiet ones that follow each other as one: the first and the last of them. */
function runsOf(minutes: readonly IncidentMinute[]): [IncidentMinute, IncidentMinute][] {
  const runs: [IncidentMinute, IncidentMinute][] = []
  for (const minute of minutes) {
    const run = runs.at(-1)
    if (run && isQuiet(run[1]) && isQuiet(minute)) run[1] = minute
    else runs.push([minute, minute])
  }
  return runs
}

function isQuiet(minute: IncidentMinute): boolean {
  return triedIn(minute) + minute.deferred + minute.registered === 0
}

function clock({ at }: IncidentMinute): string {
  return isoTime(at).slice(11, 16)
}

function printConnectors(out: Output, { connectors, from }: Incident): void {
  out.line()
  out.table(
    ['CONNECTOR', 'UNREGISTERED', 'SHARE', 'REGISTERED', 'STATE'],
    connectors.map((each) => [
      connectorName(each.value) || '(none)',
      right(`${each.messages}/${each.recipients}`),
      right(percent(each.share)),
      right(`${messages(each.registered)}/${recipients(each.registered)}`),
      stateCell(each),
    ]),
    'no connectors',
  )
  const note = `messages/recipients since ${shortTime(from)}; registered: of the last two hours`
  out.line(note, 'faint')
}

function stateCell({ stopped }: ConnectorFlow): Cell {
  return stopped ? { text: stopped, tone: stopped === 'blocked' ? 'warn' : 'faint' } : ''
}

function printQueues(out: Output, queue: IncidentQueue): void {
  out.line()
  if (!isAnswered(queue)) {
    out.line(`queue: ${queue.problem}`)
    return
  }
  const { hosts, silent, failed } = queue
  const nameOf = namesOf([...hosts, ...silent, ...failed].map(({ host }) => host))
  const facts: [string, Cell][] = [
    ...hosts.map(({ host, all, held, droppable }): [string, Cell] => {
      const parts = `${held.messages} held, ${droppable.messages} unregistered or foreign`
      const text = all.messages === 0 ? 'nothing' : `${amountText(all)}: ${parts}`
      return [`queue of ${nameOf(host)}`, text]
    }),
    ...silent.map((each): [string, Cell] => [
      `queue of ${nameOf(each.host)}`,
      { text: silenceOf(each), tone: 'warn' },
    ]),
    ...failed.map(({ host, reason }): [string, Cell] => [
      `queue of ${nameOf(host)}`,
      { text: reason, tone: 'warn' },
    ]),
  ]
  out.facts(facts)
}

function printChanges(out: Output, { changes }: Incident): void {
  out.line()
  out.table(
    ['CHANGED', 'SUBJECT', 'WHAT', 'BY'],
    changes
      .slice(0, MOST_CHANGES)
      .map((change) => [
        shortTime(change.at),
        change.subject,
        [change.what, change.to].filter(Boolean).join(': '),
        whoOf(change),
      ]),
    'nothing of the tenant was changed in the week before',
  )
}

/** What to do next, for people. */
export function printSteps(out: Output, steps: readonly IncidentStep[]): void {
  out.line()
  if (steps.length === 0) {
    out.line('nothing is left to do')
    return
  }
  steps.forEach((step, at) => {
    out.line(`${at + 1}. ${TITLES[step.what]}: ${step.why}`)
    out.line(`   ${step.command}`, 'faint')
  })
}

/** What each step does. */
export const TITLES: Readonly<Record<IncidentStep['what'], string>> = {
  'block connector': 'Stop the connector',
  drop: 'Drop from the queue',
  register: 'Register domains',
  tick: 'Tick the checklist',
  unblock: 'Unblock',
  close: 'Close the case',
}

function number(value: number): Cell {
  return right(value === 0 ? '-' : value.toLocaleString('en-US'))
}

function right(text: string): Cell {
  return { text, right: true }
}
