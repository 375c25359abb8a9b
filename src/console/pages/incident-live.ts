import { count } from '../../base/count'
import { openSteps, type Case } from '../../cases/case'
import { percent } from '../../cli/views/counts'
import { missingLines, namesOf } from '../../cli/views/queue'
import { connectorName } from '../../mail/identities'
import { triedIn, triedLately, type GoingOn } from '../../operations/incident'
import { isAnswered } from '../../operations/incident-queue'
import { GOING_ON } from '../../operations/incident-steps'
import { amountText } from '../../operations/queue'
import { MINUTE } from '../../reporting/calendar'
import type { Share, Shares } from '../../reporting/shares'
import { messages, recipients } from '../../reporting/sum'
import { barChart } from '../kit/charts'
import { html, NOTHING, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import { facts, heading, outside, state, table, time, type Cell, type Column } from '../kit/parts'
import type { QueueLook } from '../kit/queue-look'

/** Rows of each kind that are shown. */
const MOST_SHARES = 5
/** Connectors that the first lines name. */
const MOST_NAMED = 3

const numeric = (title: string): Column => ({ title, isNumber: true })
const COUNTED = ['Messages', 'Recipients', 'Share'].map(numeric)
const PASSED = ['Registered messages', 'Registered recipients'].map(numeric)

/** What goes on now, through what and from where, and what waits in the queue. */
export function incidentLive(visit: Visit, incident: GoingOn, look: QueueLook | undefined): Html {
  const { tenant, minutes, shares, from } = incident
  const link = visit.to(['tenants', tenant.id])
  return html`<h1>Incident of <a href="${link}">${tenant.id}</a></h1>
    ${facts([
      ...(tenant.name === tenant.id ? [] : ([['Name', tenant.name]] as const)),
      ...stateFacts(incident),
      goesOn(incident),
      ['Through', mostly(shares)],
      ...(incident.case ? caseFacts(visit, incident, incident.case) : []),
      ['In the queue', queueCell(visit, look)],
    ])}
    ${heading(visit, 'goingOn')}
    ${barChart({
      ...{ id: 'minutes', title: `The last ${minutes.length} minutes`, unit: 'recipients' },
      ...{ starts: minutes.map(({ at }) => at), step: MINUTE },
      series: [
        { name: 'Refused', values: minutes.map(({ refused }) => refused) },
        { name: 'Accepted, unregistered', values: minutes.map(({ accepted }) => accepted) },
        { name: 'Registered', values: minutes.map(({ registered }) => registered) },
        { name: 'Deferred', values: minutes.map(({ deferred }) => deferred) },
      ],
    })}
    ${heading(visit, 'through')}
    <p>Unregistered mail since ${time(from)}; registered mail of the last two hours.</p>
    ${table(
      'Connectors',
      ['Connector', ...COUNTED, ...PASSED, 'State'],
      incident.connectors
        .slice(0, MOST_SHARES * 2)
        .map((each) => [
          outside(connectorName(each.value) || '(none)'),
          ...numbers(each),
          messages(each.registered),
          recipients(each.registered),
          each.stopped ? state(each.stopped, 'warn') : 'relays',
        ]),
      'No mail came through a connector.',
    )}
    ${left(incident.connectors.length - MOST_SHARES * 2)}
    ${sharesTable('Sender domain', shares, 'domain')} ${sharesTable('Address', shares, 'ip')}
    ${sharesTable('AUTH user', shares, 'user')}`
}

type Fact = readonly [string, Cell]

function stateFacts({ restriction, mode, case: record }: GoingOn): Fact[] {
  if (restriction) {
    const what = restriction.scope === 'all' ? 'all relayed mail' : 'unregistered mail'
    const refused = mode === 'enforce' ? 'is refused' : `would be refused in mode enforce (${mode})`
    return [
      [
        'State',
        html`${state('restricted', 'bad')} since ${time(restriction.since)}: ${what} ${refused}`,
      ],
      ['Restricted by', html`${restriction.by}: ${restriction.reason}`],
    ]
  }
  const lifted = record?.lifted
  const by = lifted ? html`; lifted ${time(lifted.at)} by ${lifted.by}: ${lifted.text}` : NOTHING
  return [['State', html`${state('not restricted', 'good')} (mode ${mode})${by}`]]
}

function goesOn(incident: GoingOn): Fact {
  const span = `in the last ${GOING_ON} minutes`
  const tried = triedLately(incident)
  if (tried === 0) {
    return ['Goes on', html`${state('no', 'good')}: nothing unregistered ${span}`]
  }
  const lately = incident.minutes.slice(-GOING_ON)
  const passed = lately.reduce((sum, each) => sum + each.accepted, 0)
  // The minute that has just begun says little.
  const whole = incident.minutes.at(-2)!
  return [
    'Goes on',
    html`${state('yes', 'bad')}: ${count(tried, 'unregistered recipient')} ${span}, ${passed}
    accepted; ${triedIn(whole)} in the last whole minute, ${whole.refused} refused`,
  ]
}

/** The line that decides: `web 59 messages, 293 recipients; exchange …`. */
function mostly({ connector }: Shares): Cell {
  if (connector.length === 0) return 'nothing unregistered was tried'
  const parts = connector.slice(0, MOST_NAMED).map((each, at) => {
    const name = outside(connectorName(each.value) || '(none)')
    return html`${at > 0 ? '; ' : ''}${name} ${count(each.messages, 'message')},
    ${count(each.recipients, 'recipient')}`
  })
  return html`${parts}`
}

function caseFacts(visit: Visit, { restriction, tenant }: GoingOn, of: Case): Fact[] {
  const left = openSteps(of)
  const { taken, closed, ticks } = of
  const other = restriction?.case
  return [
    [
      'Case',
      html`<a href="${visit.to(['cases', of.name])}">${of.name}</a>, ${ticks.size} of
        ${ticks.size + left.length}
        steps${left.length === 0 ? NOTHING : `; to tick: ${left.join(', ')}`}`,
    ],
    ...(closed
      ? [
          [
            'Closed',
            html`${state('closed', 'good')} ${time(closed.at)} by ${closed.by}: ${closed.text}`,
          ] as const,
        ]
      : []),
    ...(other && other !== of.name
      ? [
          [
            'Restricted again',
            html`${tenant.id} is restricted now by
              <a href="${visit.to(['incidents', other])}">case ${other}</a>`,
          ] as const,
        ]
      : []),
    ...(closed
      ? []
      : [['On it', taken ? html`${taken.by} since ${time(taken.at)}` : 'no person'] as const]),
  ]
}

function queueCell(visit: Visit, look: QueueLook | undefined): Cell {
  if (!visit.writing) return 'shown to people who may change something: hosts are asked for it'
  if (!look) return 'hosts are being asked'
  const { at, queue } = look
  if (!isAnswered(queue)) return html`not known: ${queue.problem}`
  const nameOf = namesOf(queue.hosts.map(({ host }) => host))
  const lines = [
    ...queue.hosts.map(
      ({ host, all, held, droppable }) =>
        `${nameOf(host)}: ${all.messages === 0 ? 'nothing' : `${amountText(all)}, ${held.messages} held, ${droppable.messages} unregistered or foreign`}`,
    ),
    ...missingLines(queue),
  ]
  return html`${lines.map((line) => html`${line}<br />`)} as of ${time(at)}`
}

function sharesTable(title: string, shares: Shares, kind: 'domain' | 'ip' | 'user'): Html {
  const all = shares[kind]
  // Without AUTH there are no users.
  if (all.every(({ value }) => value === '')) return NOTHING
  return html`${table(
    title,
    [title, ...COUNTED],
    all.slice(0, MOST_SHARES).map((each) => [outside(each.value || '(none)'), ...numbers(each)]),
    '',
  )}
  ${left(all.length - MOST_SHARES)}`
}

function numbers({ messages: sent, recipients: to, share }: Share): Cell[] {
  const text = percent(share)
  return [
    sent,
    to,
    html`<meter min="0" max="1" value="${share}" aria-label="${text}"></meter> ${text}`,
  ]
}

function left(more: number): Html {
  return more > 0 ? html`<p>and ${more} more</p>` : NOTHING
}
