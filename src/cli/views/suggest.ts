import { connectorName } from '../../mail/identities'
import type { Lookup } from '../../dns/lookup'
import { count } from '../../base/count'
import { tenantctl } from '../../base/command-line'
import { isoTime, shortTime } from '../../base/time'
import type { Candidate } from '../../suggest/candidate'
import { byLikeness, MATURE_DAYS, type Ranked } from '../../suggest/rank'
import type { Suggestion } from '../../suggest/suggest'
import { moment, some } from './counts'
import { outside, type Cell, type Output, type Tone } from '../kit/output'

/** The most domains of each class whose reasons are printed. */
const LISTED = { own: 50, unclear: 20, abuse: 5, never: 20 } as const

const TONES: Readonly<Record<Ranked['class'], Tone>> = {
  own: 'good',
  unclear: 'warn',
  abuse: 'bad',
}

function commandFor(tenant: string, ranked: readonly Ranked[]): string | null {
  const own = ranked.filter((each) => each.class === 'own').map(({ domain }) => domain)
  return own.length === 0 ? null : tenantctl('domain', 'add', tenant, ...own)
}

export function suggestionJson(tenant: string, suggestion: Suggestion, dns: Lookup): object {
  const { from, trip, ranked, never, others, lookedUp } = suggestion
  return {
    tenant,
    from: isoTime(from),
    trip: trip === undefined ? null : isoTime(trip),
    domains: ranked.map((each) => ({
      domain: each.domain,
      class: each.class,
      score: each.score,
      reasons: each.reasons.map(({ points, text }) => ({ points, text })),
      recipients: each.recipients,
      days: each.daily.length,
      first_seen: isoTime(each.firstSeen),
      last_seen: isoTime(each.lastSeen),
      connectors: each.connectors,
      like: each.likeness?.to ?? null,
      likeness: each.likeness?.share ?? null,
      imitates: each.imitates ?? null,
    })),
    never: never.map(({ domain, recipients, why }) => ({ domain, recipients, why })),
    others,
    dns: { away: dns.isAway, looked_up: lookedUp, missing: dns.missing },
    command: commandFor(tenant, ranked),
  }
}

/** All domains in a table, the most like the tenant's own first. @param why with the reasons of the first of each class. */
export function printSuggestion(
  out: Output,
  tenant: string,
  suggestion: Suggestion,
  dns: Lookup,
  why: boolean,
): void {
  const { from, trip, ranked, never, others, lookedUp } = suggestion
  if (ranked.length + never.length === 0) {
    out.line(`${tenant} has sent from no unregistered domain since ${shortTime(from)}`)
    return
  }
  const when =
    trip === undefined
      ? 'now, since it never was restricted'
      : `${shortTime(trip)}, its last restriction`
  out.line(`own is only what was first seen ${MATURE_DAYS} days or more before ${when}`)
  out.line()
  printTable(out, suggestion)
  out.line()
  if (why) printReasons(out, suggestion)
  else out.line(`The reasons: ${tenantctl('suggest', tenant)} --why`)
  if (others > 0)
    out.line(`About ${count(others, 'more domain')} had no room for a row of their own.`)
  for (const text of notes(ranked.length, lookedUp, dns)) out.line(text)
  out.line()
  const command = commandFor(tenant, ranked)
  if (command === null) out.line('Nothing is ranked as own.')
  else {
    out.line('To register what is ranked as own, once you know that the tenant owns it:')
    out.line(`  ${command}`)
  }
}

function printTable(out: Output, { ranked, never }: Suggestion): void {
  out.table(
    ['DOMAIN', 'LIKE', 'CONNECTOR', 'SINCE', 'RECIPIENTS', 'VERDICT'],
    [
      ...ranked
        .toSorted(byLikeness)
        .map((each) => rowOf(each, likeOf(each), { text: each.class, tone: TONES[each.class] })),
      ...never.map((each) => rowOf(each, '-', { text: 'never', tone: 'faint' })),
    ],
    '',
  )
}

function rowOf(
  { domain, connectors, firstSeen, recipients }: Candidate,
  like: Cell,
  verdict: Cell,
): Cell[] {
  const names = connectors.map(connectorName)
  return [
    outside(domain),
    like,
    some(names, 1) || '-',
    moment(firstSeen, true),
    { text: String(recipients), right: true },
    verdict,
  ]
}

function likeOf({ likeness, imitates }: Ranked): Cell {
  if (imitates !== undefined) return { text: `imitates ${imitates}`, tone: 'bad', fit: 'cut' }
  if (!likeness) return '-'
  return { text: `${Math.floor(likeness.share * 100)} % ${likeness.to}`, fit: 'cut' }
}

function printReasons(out: Output, { ranked, never }: Suggestion): void {
  for (const name of ['own', 'unclear', 'abuse'] as const) {
    const those = ranked.filter((each) => each.class === name)
    for (const each of those.slice(0, LISTED[name])) printOne(out, each)
    tellMore(out, name, those.length)
  }
  for (const { domain, why } of never.slice(0, LISTED.never)) {
    out.line(`never  ${why.startsWith(domain) ? why : `${domain}: ${why}`}`)
  }
  tellMore(out, 'never', never.length)
  out.line()
}

function tellMore(out: Output, name: keyof typeof LISTED, all: number): void {
  const more = all - LISTED[name]
  if (more <= 0) return
  out.line(`${name}  and ${count(more, 'domain')} more; --json has all`)
  out.line()
}

function printOne(out: Output, each: Ranked): void {
  const { domain, score, reasons, recipients, daily, firstSeen, lastSeen } = each
  out.line(
    `${each.class}  ${domain}  ${signed(score)}  (${count(recipients, 'recipient')}, ${count(daily.length, 'day')}, ${shortTime(firstSeen)} to ${shortTime(lastSeen)})`,
    TONES[each.class],
  )
  for (const { points, text } of reasons) out.line(`  ${signed(points).padStart(4)}  ${text}`)
  out.line()
}

function signed(points: number): string {
  return points > 0 ? `+${points}` : String(points)
}

/** What the ranking could not consider. */
function notes(ranked: number, lookedUp: number, dns: Lookup): string[] {
  const texts: string[] = []
  if (dns.isAway) texts.push('DNS does not answer: ranked by name and mail alone.')
  else {
    if (dns.missing > 0) {
      texts.push(
        `DNS gave no answer to ${count(dns.missing, 'question')}: these questions do not affect the ranking.`,
      )
    }
    texts.push(
      'DNS shows what the owner of a domain says, not that it is this tenant. DKIM does not help here: its keys are found by a selector, which only a message has.',
    )
  }
  if (ranked > lookedUp) {
    texts.push(
      `DNS was asked about the ${lookedUp} domains with the most recipients, not about the others.`,
    )
  }
  return texts
}
