import { connectorName } from '../mail/identities'
import { formatWindow } from '../mail/limits'
import { METERS, USUAL_METER } from '../mail/meters'
import { tenantctl } from '../base/command-line'
import { isoTime, shortTime } from '../base/time'
import { subjectText } from '../registry/lost-changes'
import { MANY, MANY_SPAN } from './many'
import type {
  Affected,
  Alert,
  Event,
  MeterFacts,
  PausedEvent,
  RedisTroubleEvent,
  ResolvedEvent,
  Severity,
  UnreadableEvent,
  WentBack,
} from '../records/event'

/** The severities of Exchange Online for the alerts that it also has. */
function severityOf(event: Event): Severity {
  switch (event.kind) {
    case 'allowance':
      if (event.percent >= 95) return 'High'
      return event.percent >= 80 ? 'Medium' : 'Low'
    case 'restricted':
    case 'many_restricted':
    case 'redis_trouble':
    case 'host_missing':
    case 'paused':
      return 'High'
    case 'unreadable':
      return event.until === undefined ? 'Low' : 'High'
    case 'unusual':
      return event.rule === 'registered_volume' ? 'High' : 'Medium'
    case 'went_back':
      return event.missing.count > 0 ? 'High' : 'Medium'
    case 'unattributed':
      return 'Medium'
    case 'lifted':
    case 'resolved':
    case 'test':
      return 'Informational'
  }
}

/** The tenant tripped again within probation: more urgent than High can say. */
function isEscalated(event: Event): boolean {
  return event.kind === 'restricted' && event.probation === true
}

/** The titles of High alerts begin with the names of Exchange Online's alert policies. */
function titleOf(tenant: string, event: Event): string {
  switch (event.kind) {
    case 'allowance': {
      const used = `${tenant} has used ${event.percent} % of its allowance of ${limitOf(event)}${forWhat(event)}`
      return event.percent >= 95 ? `Suspicious tenant sending patterns observed: ${used}` : used
    }
    case 'restricted': {
      const what = event.scope === 'all' ? 'email' : 'unprovisioned email'
      const again = isEscalated(event) ? ' again, within probation' : ''
      const by = METERS[event.trigger?.meter ?? USUAL_METER].words.tripped
      return `Tenant restricted from sending ${what}${again}: ${tenant}${by}`
    }
    case 'lifted': {
      const { probation } = event
      const until =
        probation && `, in probation with ${probation.limits} until ${isoTime(probation.until)}`
      return `Restriction of ${tenant} lifted by ${event.by}${until ?? ''}`
    }
    case 'unusual':
      return `Suspicious email sending patterns detected: ${tenant}: ${event.words}`
    case 'unattributed': {
      const { user, connectors } = event
      // Quoted: the only difference may be a blank at its end.
      const who = `AUTH user ${JSON.stringify(user)}`
      return connectors
        ? `Mail of ${who} is deferred: ${connectors} connectors have a user that differs in its spelling only`
        : `Mail of ${who} is relayed uncounted: it belongs to no tenant`
    }
    case 'resolved':
      if (event.of === 'redis_trouble') return redisOverText(event)
      if (event.of === 'host_missing') return hostOverText(event)
      if (event.of === 'paused') return pauseOverText(event)
      if (event.of === 'unusual') return `${tenant}: ${event.rule ?? 'a rule'} is over`
      return `${tenant} is below ${event.percent} % of its allowance${windowOf(event)}${forWhat(event)} again`
    case 'unreadable': {
      const until =
        event.until === undefined
          ? ''
          : `, and its recipients are deferred until ${isoTime(event.until)}`
      return `The count of ${tenant}${windowOf(event)}${forWhat(event)} could not be read: it starts afresh${until}`
    }
    case 'went_back': {
      const [which, known] =
        event.missing.count > 0
          ? [event.missing, 'and no process knows them']
          : [event.lost, 'which processes still know']
      return `Redis has gone back in time: it lost changes of ${listOf(which)} ${spanOf(event)}, ${known}`
    }
    case 'many_restricted': {
      const [first] = event.changed
      const minutes = MANY_SPAN / 60_000
      return `More than ${MANY} tenants restricted within ${minutes} minutes${first ? `; ${first}` : ''}`
    }
    case 'redis_trouble':
      return redisTroubleText(event)
    case 'paused':
      return pausedText(event)
    case 'host_missing':
      return `Host ${event.host} is missing: no process there has reported since ${shortTime(event.since)}`
    case 'test':
      return `Test alert, sent by ${event.by}`
  }
}

function redisTroubleText({ trouble, host, redis, from }: RedisTroubleEvent): string {
  switch (trouble) {
    case 'away':
      return `Redis at ${redis} has not answered ${host} since ${shortTime(from)}`
    case 'lost':
      return `Redis at ${redis} has lost the registry, as ${host} has seen since ${shortTime(from)}`
    case 'went_back':
      return `Redis at ${redis} has gone back in time, and what it lost is unresolved since ${shortTime(from)}`
  }
}

function hostOverText({ host = '', forgotten }: ResolvedEvent): string {
  return forgotten ? `Host ${host} was forgotten` : `Host ${host} reports again`
}

function pausedText({ occasion, since, until, by, reason, everything }: PausedEvent): string {
  const what = everything ? ' with everything' : ''
  const who = `by ${by}: ${reason}`
  switch (occasion) {
    case 'begun':
      return `Enforcement is paused${what} on all hosts until ${shortTime(until)}, ${who}`
    case 'goes on':
      return `Enforcement has been paused${what} since ${shortTime(since)}, and is until ${shortTime(until)}, ${who}`
    case 'ends soon':
      return `The pause of enforcement ends at ${shortTime(until)}; it was begun at ${shortTime(since)} ${who}`
  }
}

function pauseOverText({ by, why }: ResolvedEvent): string {
  return by === undefined
    ? 'The pause of enforcement has ended by itself'
    : `Enforcement was resumed by ${by}: ${why}`
}

function redisOverText({ trouble, host = '' }: ResolvedEvent): string {
  if (trouble === 'away') return `Redis answers ${host} again`
  if (trouble === 'lost') return `Redis holds a registry that ${host} uses again`
  return 'What Redis had lost by going back in time is resolved'
}

/** What to do first; the runbook has the rest. */
function redisTroubleSteps({ trouble }: RedisTroubleEvent): string[] {
  switch (trouble) {
    case 'away':
      return [
        'tenantctl doctor  # on that host: why Redis does not answer it; registered mail passes meanwhile',
        'tenantctl nodes  # when Redis answers again: which hosts were cut off',
      ]
    case 'lost':
      return [
        'tenantctl doctor  # what Redis holds; do not restart Haraka, which goes on with what it knows',
        'tenantctl restore FILE  # the last backup; without one, on that host: tenantctl restore --from-snapshot',
      ]
    case 'went_back':
      return [
        'tenantctl registry status  # what is lost, what processes still know, and what to do',
      ]
  }
}

/** The usual meter is not named. */
function forWhat({ meter }: MeterFacts | Pick<UnreadableEvent, 'meter'>): string {
  if (meter === 'held') return ' of messages on their way'
  return METERS[meter ?? USUAL_METER].words.allowance
}

function limitOf({ limit, window }: { limit: number; window: number }): string {
  return `${limit}/${formatWindow(window)}`
}

function windowOf({ window }: { readonly window?: number }): string {
  return window === undefined ? '' : ` in ${formatWindow(window)}`
}

function listOf({ count, subjects }: Affected): string {
  const names = subjects.map(subjectText).join(', ')
  const more = count - subjects.length
  return more === 0 ? names : `${names} and ${more} more`
}

function spanOf({ from, to }: WentBack): string {
  return from === 0
    ? `made until ${shortTime(to)}`
    : `made from ${shortTime(from)} to ${shortTime(to)}`
}

/** Commands to copy and run; a shell comment says what each is for. Parts to fill in are in capitals. */
function nextSteps(tenant: string, event: Event): string[] {
  switch (event.kind) {
    case 'allowance':
      return [...METERS[event.meter ?? USUAL_METER].words.next(tenant)]
    case 'restricted':
      return [
        `${tenantctl('incident', event.case)}  # all about it on one screen; then it asks for each step`,
        `${tenantctl('evidence', event.case)}  # what was sent before, by whom and from where`,
        ...connectorStep(tenant, event.trigger?.connector),
        `${tenantctl('suggest', tenant)}  # which of the domains are probably its own and to be registered`,
        `${tenantctl('unblock', tenant, '--reason', 'TEXT')}  # when the cause is gone; --limits 50/1h --for 7d lifts it into probation`,
      ]
    case 'lifted':
      return [
        `${tenantctl('status', tenant)}  # whether its usage stays low`,
        ...(event.case === ''
          ? []
          : [`${tenantctl('case', 'close', event.case)}  # when all is done`]),
      ]
    case 'unusual':
      return [
        `${tenantctl('unusual', tenant)}  # all that is unusual about it`,
        ...(event.rule === 'foreign'
          ? [
              `${tenantctl('report', tenant, '--days', '1', '--class', 'foreign')}  # whose domains, and through what`,
            ]
          : []),
        `${tenantctl('report', tenant, '--days', '1')}  # which domains, connectors and addresses send`,
        `${tenantctl('block', tenant, '--reason', 'TEXT')}  # if it is abuse`,
      ]
    case 'unattributed':
      return event.connectors ? [TWINS, UNATTRIBUTED] : [UNATTRIBUTED]
    case 'resolved':
      return ['nothing to do']
    case 'unreadable':
      return [
        ...(event.until === undefined
          ? []
          : [
              `${tenantctl('unblock', tenant, '--reason', 'TEXT')}  # ends the 451 at once; all windows start afresh`,
            ]),
        'tenantctl doctor  # whether Redis is healthy; who else writes under this prefix, or has changed its files?',
      ]
    case 'went_back':
      return [
        'tenantctl registry status  # what is lost, what processes still know, and what they have put back',
        ...(event.missing.count === 0
          ? []
          : [`make the changes again that were ${spanOf(event)}: no process knows them`]),
        ...(event.lost.count > 0
          ? ['tenantctl registry restore-known --reason TEXT  # writes what processes still know']
          : []),
        'tenantctl registry accept-redis --reason TEXT  # accepts what Redis holds, without the rest',
        'the recipients counted in that time are lost, too: allowances may be used again',
      ]
    case 'many_restricted':
      return [
        'tenantctl restricted  # all of them, and what tripped each',
        ...event.tenants
          .slice(0, 1)
          .map(
            (each) =>
              `${tenantctl('audit', each)}  # what was changed of one of them; [allowance] limits in the ini file leave no record`,
          ),
        `${tenantctl('unblock', '--since', isoTime(event.from))} --reason TEXT  # if a limit was wrong: lists those that tripped, asks, lifts`,
        'tenantctl alert contacts  # whose contacts get no mail about it until you say send or drop',
      ]
    case 'redis_trouble':
      return redisTroubleSteps(event)
    case 'paused':
      return [
        'tenantctl enforcement status  # since when, until when, by whom and why',
        'tenantctl enforcement resume --reason TEXT  # once the cause is gone; it says who would be restricted next',
      ]
    case 'host_missing':
      return [
        'tenantctl nodes  # which processes are missing, since when; then look at that host: does it run, does it reach Redis?',
        `${tenantctl('nodes', 'forget', event.host)}  # if it is gone for good`,
      ]
    case 'test':
      return ['nothing to do: alerts arrive']
  }
}

const UNATTRIBUTED =
  'tenantctl unattributed  # who sends without a tenant, from where, and the command that adds a connector'

const TWINS =
  'tenantctl explain --from SENDER --auth USER  # which connectors: remove one of the users, or give its connector this spelling, too'

/** @param connector `tenant/name`, or empty. */
function connectorStep(tenant: string, connector = ''): string[] {
  const name = connectorName(connector)
  if (name === '') return []
  return [
    `${tenantctl('connector', 'block', tenant, name, '--reason', 'TEXT')}  # if that one server is the cause`,
  ]
}

/** Fields of an event that an alert has outside its facts. */
const NO_FACTS = ['id', 'kind', 'at', 'resolves', 'continues']

/** An alert for the stream, without the fields that its script adds. */
export function describe(tenant: string, event: Event): Omit<Alert, 'id' | 'alert' | 'count'> {
  const { kind, at } = event
  const own = Object.entries(event).filter(([key]) => !NO_FACTS.includes(key))
  const facts = { ...Object.fromEntries(own), ...(isEscalated(event) ? { escalated: true } : {}) }
  const severity = severityOf(event)
  const title = titleOf(tenant, event)
  const next = nextSteps(tenant, event)
  const resolves = 'resolves' in event ? { resolves: event.resolves } : {}
  const continues = 'continues' in event ? { continues: event.continues } : {}
  return { kind, severity, title, tenant, at: isoTime(at), facts, next, ...resolves, ...continues }
}
