import { formatWindow } from '../../mail/limits'
import type { WindowUsage } from '../../allowance/usage'
import type { Evidence } from '../../cases/evidence'
import {
  CLASSES,
  KNOWN_CLASSES,
  LOOKED_CLASSES,
  lookedKey,
  USUAL_CLASS,
  USUAL_LOOKED,
} from '../../mail/classes'
import { METER_NAMES, meterField, METERS, USUAL_METER } from '../../mail/meters'
import { describeTrigger } from '../../mail/trigger'
import type { DatedSample } from '../../reporting/reader'
import { shareOf, totalsOf } from '../../reporting/report'
import { OTHER, type Source } from '../../reporting/rows'
import type { Sum } from '../../reporting/sum'
import { isoDay, isoMinute, isoTime, shortTime } from '../../base/time'
import { whoOf } from './audit'
import { countsByClass, CountsColumns, countsView, LEGEND, moment, pair, percent } from './counts'
import { minuteView, printMinutes } from './minutes'
import { headerFromsView, headerFromText } from './header-from'
import { count } from '../../base/count'
import { brief, type Cell, type Output } from '../kit/output'
import { ownedText } from './owned'
import { triggerView } from './restriction'

export function evidenceJson(evidence: Evidence): object {
  const { tenant, event, frozenAt, node, mode } = evidence
  return {
    tenant,
    case: evidence.case,
    frozen_at: isoTime(frozenAt),
    node,
    event: {
      id: event.id,
      at: isoTime(event.at),
      by: event.by,
      reason: event.reason,
      scope: event.scope,
      trigger: event.trigger ? triggerView(event.trigger) : null,
      windows:
        event.windows?.map(({ window, ...rest }) => ({ window: formatWindow(window), ...rest })) ??
        null,
      probation: event.probation === true,
    },
    mode,
    limits: limitsView(evidence),
    ...Object.fromEntries(
      METER_NAMES.map((meter) => [
        meterField(meter, 'windows'),
        evidence[meter]?.map(windowView) ?? null,
      ]),
    ),
    hours: evidence.hours.map((hour) => ({
      at: isoTime(hour.at),
      ...countsByClass(hour, KNOWN_CLASSES),
    })),
    minutes: evidence.minutes.map(minuteView),
    minutes_complete: evidence.minutesComplete,
    domains: evidence.top.domain.map((sum) => ({ class: sum.class, ...sumView(sum) })),
    connectors: evidence.top.connector.map(sumView),
    ips: evidence.top.ip.map(sumView),
    users: evidence.top.user.map(sumView),
    other_domains: evidence.otherDomains,
    foreign: evidence.foreign.map(({ domain, owner, counts }) => ({
      ...{ domain, owner },
      ...countsView(counts),
    })),
    ...headerFromsView(evidence),
    samples: evidence.samples.map(sampleView),
    changes: evidence.changes.map(({ at, ...change }) => ({ at: isoTime(at), ...change })),
  }
}

/** The limits of each meter, and where the limits of the usual meter come from. */
function limitsView(evidence: Evidence): object {
  const limits: Record<string, string | null> = {}
  for (const meter of METER_NAMES) {
    limits[meter] = evidence[METERS[meter].limitsField] ?? null
    if (meter === USUAL_METER) limits['from'] = evidence.limitsFrom
  }
  return limits
}

/** The page that an operator reads at night: what happened, from where, and what to look at next. */
export function printEvidence(out: Output, evidence: Evidence): void {
  printHead(out, evidence)
  printHours(out, evidence)
  printMinutes(out, evidence.minutes)
  printForeign(out, evidence)
  printTops(out, evidence)
  printSamples(out, evidence)
  printChanges(out, evidence)
  out.line()
  out.line(LEGEND, 'faint')
}

const SOURCES: readonly (readonly [keyof Source, string])[] = [
  ['domain', 'SENDER DOMAIN'],
  ['connector', 'CONNECTOR'],
  ['ip', 'IP'],
  ['user', 'AUTH USER'],
]

function printHead(out: Output, evidence: Evidence): void {
  const { event, limitsFrom, node } = evidence
  const facts: [string, Cell][] = [
    ['case', evidence.case],
    ['restricted', { text: `${shortTime(event.at)}, ${event.by}: ${event.reason}`, tone: 'bad' }],
    ['scope', event.scope],
  ]
  if (event.trigger) facts.push(['trigger', describeTrigger(event.trigger)])
  if (event.probation) facts.push(['probation', { text: 'it tripped within it', tone: 'bad' }])
  const meter = (event.windows ?? evidence[USUAL_METER])
    .map(({ window, limit, used }) => `${used} of ${limit} in ${formatWindow(window)}`)
    .join(', ')
  const others = METER_NAMES.flatMap((each) => {
    const limits = each === USUAL_METER ? undefined : evidence[METERS[each].limitsField]
    return limits === undefined ? [] : [`; ${METERS[each].words.name} ${limits}`]
  })
  const named = event.trigger?.meter
  const whose = named ? `${METERS[named].words.name}: ` : ''
  facts.push(
    ['meter then', `${whose}${meter || 'unlimited'}`],
    ['allowance', `${evidence.limits} (${limitsFrom})${others.join('')}`],
    ['mode', evidence.mode],
    ['frozen', `${shortTime(evidence.frozenAt)} by ${node.host}, process ${node.pid}`],
  )
  out.facts(facts)
}

export function printHours(out: Output, { hours }: Pick<Evidence, 'hours'>): void {
  const counts = new CountsColumns(hours.map((hour) => hour[USUAL_CLASS]))
  const others = KNOWN_CLASSES.filter((each) => {
    if (each === USUAL_CLASS) return false
    return CLASSES[each].rowLetter === undefined || hours.some((hour) => hour[each].lastSeen > 0)
  })
  out.line()
  out.table(
    [
      ...['LAST 24 HOURS', ...counts.head, 'OF ALL'],
      ...others.map((each) => CLASSES[each].words.head),
    ],
    hours.map((hour) => [
      isoMinute(hour.at),
      ...counts.cells(hour[USUAL_CLASS]),
      right(percent(shareOf(hour[USUAL_CLASS], totalsOf([hour])))),
      ...others.map((each) => right(pair(hour[each], 'accepted'))),
    ]),
    'no mail recorded in the last 24 hours',
  )
}

/** What a tenant should never send: a domain of another tenant, or a header From without an accepted domain. */
function printForeign(out: Output, { foreign, ...evidence }: Evidence): void {
  if (foreign.length > 0) {
    const counts = new CountsColumns(foreign.map((row) => row.counts))
    out.line()
    out.table(
      ['FOREIGN DOMAIN', 'BELONGS TO', ...counts.head, 'FIRST', 'LAST'],
      foreign.map((row) => [
        brief(row.domain) || '-',
        row.owner === '' ? '-' : brief(row.owner),
        ...counts.cells(row.counts),
        moment(row.counts.firstSeen, true),
        moment(row.counts.lastSeen, true),
      ]),
      '',
    )
    for (const row of foreign.slice(0, MOST_SAID)) {
      if (row.domain !== OTHER)
        out.line(`${ownedText(row)}: a wrong connector, or a takeover`, 'bad')
    }
  }
  for (const each of LOOKED_CLASSES) {
    const found = evidence[lookedKey(each)]
    // For the first class the line is printed even where all is well.
    const isFirst = each === USUAL_LOOKED
    if (!found || (isFirst ? found.looked : found.mismatched) === 0) continue
    if (isFirst) out.line()
    out.line(headerFromText(found, each), found.mismatched > 0 ? 'warn' : undefined)
  }
}

/** The most foreign domains that get a line of their own. */
const MOST_SAID = 3

/** The sources of each kind with the most recipients. */
export function printTops(out: Output, evidence: Pick<Evidence, 'top' | 'otherDomains'>): void {
  for (const [key, title] of SOURCES) printTop(out, title, key, evidence)
}

function printTop(
  out: Output,
  title: string,
  key: keyof Source,
  evidence: Pick<Evidence, 'top' | 'otherDomains'>,
): void {
  const sums = evidence.top[key]
  // Without AUTH there are no users to list.
  if (sums.length === 0 || (key === 'user' && sums.every((sum) => sum.key === ''))) return
  const counts = new CountsColumns(sums.map((sum) => sum.counts))
  const { otherDomains } = evidence
  const classes = sums.map((sum) => ('class' in sum ? sum.class : USUAL_CLASS))
  const isMixed = classes.some((each) => each !== USUAL_CLASS)
  out.line()
  out.table(
    [title, ...(isMixed ? ['CLASS'] : []), ...counts.head, 'FIRST', 'LAST'],
    sums.map((sum, at) => [
      key === 'domain' && sum.key === OTHER && otherDomains > 0
        ? `${OTHER}: about ${count(otherDomains, 'domain')}`
        : brief(sum.key) || '-',
      ...(isMixed ? [classes[at]!] : []),
      ...counts.cells(sum.counts),
      moment(sum.counts.firstSeen, true),
      moment(sum.counts.lastSeen, true),
    ]),
    '',
  )
}

export function printSamples(out: Output, { samples }: Pick<Evidence, 'samples'>): void {
  if (samples.length === 0) return
  out.line()
  out.table(
    ['SAMPLES OF', 'SENDER DOMAIN', 'IP', 'AUTH USER', 'HELO', 'MESSAGE-ID'],
    samples.map(({ at, domain, ip, user, helo, messageId }) => [
      isoDay(at),
      ...[domain, ip, user, helo, messageId].map((text) => brief(text) || '-'),
    ]),
    '',
  )
}

function printChanges(out: Output, { changes }: Evidence): void {
  out.line()
  out.table(
    ['CHANGED', 'SUBJECT', 'WHAT', 'FROM', 'TO', 'BY'],
    changes.map((change) => [
      shortTime(change.at),
      change.subject,
      change.what,
      change.from,
      change.to,
      whoOf(change),
    ]),
    'nothing of the tenant was changed in the 30 days before',
  )
}

function right(text: string): Cell {
  return { text, right: true }
}

function windowView({ window, limit, defer, used }: WindowUsage): object {
  return { window: formatWindow(window), limit, defer, used }
}

export function sampleView(sample: DatedSample): object {
  const { domain, connector, ip, user, messageId, helo } = sample
  return {
    day: isoDay(sample.at),
    class: sample.class,
    ...{ domain, connector, ip, user, message_id: messageId, helo },
  }
}

export function sumView({ key, counts }: Sum<string>): object {
  return { value: key, ...countsView(counts) }
}
