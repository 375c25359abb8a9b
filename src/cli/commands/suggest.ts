import type { Command } from 'commander'
import { Lookup } from '../../dns/lookup'
import { MATURE_DAYS, type Ranked } from '../../suggest/rank'
import { MOST_LOOKED_UP, suggestDomains, type Suggestion } from '../../suggest/suggest'
import { assertTenantId } from '../../mail/identities'
import { isoTime, shortTime } from '../../base/time'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { count } from '../../base/count'
import type { Output, Tone } from '../kit/output'
import { NO_TENANT } from '../kit/statuses'

/** The most domains of each class that are printed. */
const LISTED = { own: 50, unclear: 20, abuse: 5, never: 20 } as const

const TONES: Readonly<Record<Ranked['class'], Tone>> = {
  own: 'good',
  unclear: 'warn',
  abuse: 'bad',
}

/** `tenantctl suggest` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('suggest')
    .description(
      'rank the unregistered domains of a tenant as probably its own, by its mail and by DNS; changes nothing',
    )
    .argument('<tenant>')
    .option(
      '--dns <address>',
      'ask this resolver, ADDRESS or ADDRESS:PORT (default: that of the system)',
    )
    .action(async (tenant: string, options: { dns?: string }, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      assertTenantId(tenant)
      const dns = new Lookup(options.dns)
      await context.connected(async (store, config) => {
        const { neverRegister } = config.registry
        const suggestion = await suggestDomains(
          store,
          tenant,
          config.report.days,
          dns,
          neverRegister,
        )
        out.result(viewOf(tenant, suggestion, dns), () => print(out, tenant, suggestion, dns))
      })
    })
  manual(command, {
    examples: [
      'suggest contoso',
      'suggest contoso --dns 192.0.2.53',
      'suggest contoso --json | jq -r .command',
    ],
    json: [
      'tenant',
      'from: since when reports were looked at',
      'trip: last restriction, or null',
      'domains, the best first: array of {domain, class, score, reasons, recipients, days, first_seen, last_seen}',
      `class: own | unclear | abuse; own never where first seen less than ${MATURE_DAYS} days before the trip`,
      'reasons: array of {points, text}; their points make the score. days: on which mail was accepted',
      'never: array of {domain, recipients, why}: not suggested',
      'others: about how many more domains have no report row of their own',
      `dns: {away, looked_up, missing}: of how many domains (${MOST_LOOKED_UP} at most), how many questions got no answer`,
      'command: adds the domains that are ranked as own; null where there are none',
    ],
    exit: NO_TENANT,
  })
}

function commandFor(tenant: string, ranked: readonly Ranked[]): string | null {
  const own = ranked.filter((each) => each.class === 'own').map(({ domain }) => domain)
  return own.length === 0 ? null : `tenantctl domain add ${tenant} ${own.join(' ')}`
}

function viewOf(tenant: string, suggestion: Suggestion, dns: Lookup): object {
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
    })),
    never,
    others,
    dns: { away: dns.isAway, looked_up: lookedUp, missing: dns.missing },
    command: commandFor(tenant, ranked),
  }
}

function print(out: Output, tenant: string, suggestion: Suggestion, dns: Lookup): void {
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
  for (const name of ['own', 'unclear', 'abuse'] as const) {
    const those = ranked.filter((each) => each.class === name)
    for (const each of those.slice(0, LISTED[name])) printOne(out, each)
    tellMore(out, name, those.length)
  }
  for (const { domain, why } of never.slice(0, LISTED.never)) {
    out.line(`never  ${why.startsWith(domain) ? why : `${domain}: ${why}`}`)
  }
  tellMore(out, 'never', never.length)
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
