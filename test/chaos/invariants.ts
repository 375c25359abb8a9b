import type { Charge } from '../../src/allowance/ledger'
import type { Meter } from '../../src/mail/meters'
import { REPLY } from '../support/replies'
import { overlap, type Span } from './clock'
import type { Evidence } from './evidence'
import {
  accepted,
  transactionsOf,
  type Exchange,
  type History,
  type SessionRecord,
  type Transaction,
} from './history'
import { COMMAND_TIMEOUT, ROOMY } from './site'

/** Returns what breaks a rule; empty if nothing does. */
export type Invariant = (history: History, evidence: Evidence) => string[]

/** The longest time for a greeting, in ms. */
const GREETING = 1000
/** The longest time for any other reply, in ms: a deadlock is longer. */
const ANSWER = 10_000
/** The shortest time of mail that waits for Redis, in ms. */
const WAITED = COMMAND_TIMEOUT * 0.9
/** The longest time for what a process does at once, on a busy machine, in ms. */
const AT_ONCE = 2000
/** How long trouble has effects after its end, in ms: the longest pause between two attempts to connect, and more. */
const AFTERMATH = 3000
/** The longest time for a worker to load its data, in ms. */
const LOADING = 5000

/** R1, R4 */
const charges: Record<string, Invariant> = {
  'R1: never over, as clients see it': (history) =>
    Object.entries(history.allowances).flatMap(([tenant, allowance]) =>
      stretches(history, tenant).flatMap((stretch) =>
        (['unregistered', 'null'] as const).flatMap((meter) => {
          const took = takenWithin(history, tenant, meter, stretch)
          const most = allowance[meter] + perhapsForgotten(history, tenant, meter)
          return took <= most
            ? []
            : [`${tenant}: ${took} ${meter} recipients of ${most} between two lifts`]
        }),
      ),
    ),

  'R1: never over, as Redis has counted it': (history, { books }) =>
    Object.entries(books).flatMap(([tenant, { charged }]) => {
      const counts = new Map<string, number>()
      for (const list of charged.values()) {
        for (const { generation, meter } of list) {
          const key = `${meter} ${generation}`
          counts.set(key, (counts.get(key) ?? 0) + 1)
        }
      }
      return [...counts].flatMap(([key, count]) => {
        const limit = history.allowances[tenant]![key.split(' ')[0] as Meter] ?? 0
        return count <= limit ? [] : [`${tenant}: ${count} of ${limit} in ${key}`]
      })
    }),

  'R4: what was accepted is counted, to the recipient': (history, evidence) =>
    metered(history).flatMap((transaction) => {
      const { id, rcpts } = transaction
      const count = chargedFor(evidence, transaction)
      const took = recipientsDelivered(evidence, id)
      if (took === undefined || count === took) return []
      if (count < took && countedIn(transaction).some((each) => isForgotten(history, each)))
        return []
      // Deferred ones are returned while the others are accepted.
      const returned = rcpts.length - accepted(transaction)
      if (
        count > took &&
        count - took <= Math.min(returned, mayStayCounted(history, transaction))
      ) {
        return []
      }
      return [`${describe(transaction)}: ${took} accepted, ${count} counted`]
    }),

  'R4: what was not accepted is not counted': (history, evidence) =>
    metered(history).flatMap((transaction) => {
      if (recipientsDelivered(evidence, transaction.id) !== undefined) return []
      const count = chargedFor(evidence, transaction)
      if (count === 0 || count <= mayStayCounted(history, transaction)) return []
      return [`${describe(transaction)}: ${count} still counted`]
    }),

  'R4: nothing else is counted': (history, { books }) => {
    const known = new Set(transactionsOf(history).map(({ id }) => id))
    return Object.entries(books).flatMap(([tenant, { charged }]) =>
      [...charged.keys()].filter((id) => !known.has(id)).map((id) => `${tenant}: ${id}`),
    )
  },

  'R4: the windows hold what the receipts say': (_history, { books }) =>
    Object.entries(books).flatMap(([tenant, { charged, generation, used }]) =>
      (['unregistered', 'forwarded', 'null'] as const).flatMap((meter) => {
        const receipts = [...charged.values()]
          .flat()
          .filter((each) => each.meter === meter && each.generation === generation).length
        return receipts === used[meter]
          ? []
          : [`${tenant}: ${used[meter]} ${meter} used, ${receipts} in receipts`]
      }),
    ),

  'R4: nothing is held once its message has ended': (history, { books }) =>
    transactionsOf(history).flatMap((transaction) => {
      if (!books[transaction.tenant]?.held.includes(transaction.id)) return []
      // The holds of a killed worker expire after the run.
      return mayStayCounted(history, transaction) > 0 || killOf(history, transaction)
        ? []
        : [`${describe(transaction)}: still held`]
    }),

  'Haraka: what was answered with 250 is delivered': (history, evidence) =>
    transactionsOf(history).flatMap((transaction) => {
      const took = recipientsDelivered(evidence, transaction.id)
      const { ending } = transaction
      if (ending === 'left' && took === undefined) {
        // Haraka drops a message whose client leaves during a hook (plugins.js, run_next_hook).
        if (mayBeHeld(history, transaction) || diedSoon(history, transaction)) return []
      }
      if (ending === 'accepted' || ending === 'left') {
        return took === accepted(transaction) ? [] : [`${describe(transaction)}: ${took} delivered`]
      }
      return ending === 'returned' && took !== undefined
        ? [`${describe(transaction)}: delivered`]
        : []
    }),
}

const mail: Record<string, Invariant> = {
  'R2: registered mail is neither refused nor deferred': (history) =>
    history.sessions.flatMap((session) =>
      registered(session).flatMap((transaction) =>
        [transaction.mail, ...transaction.rcpts]
          .filter((exchange) => refuses(exchange) && !mayBeUnknown(history, session, exchange))
          .map(({ verb, reply }) => `${describe(transaction)}: ${verb} got ${reply?.trim()}`),
      ),
    ),

  'R2: registered mail does not wait': (history) =>
    history.sessions.flatMap((session) =>
      registered(session).flatMap((transaction) =>
        [transaction.mail, ...transaction.rcpts].flatMap((exchange) => {
          if (!knows(history, session, exchange.sent)) return []
          const took = timeOf(history, session, exchange)
          return took < WAITED
            ? []
            : [`${describe(transaction)}: ${exchange.verb} took ${Math.round(took)} ms`]
        }),
      ),
    ),

  'R3: a restriction holds until a person lifts it': (history) =>
    Object.keys(history.allowances).flatMap((tenant) => {
      const restricted = knownRestrictions(history, tenant)
      return ofTenant(history, tenant, 'unregistered').flatMap((transaction) =>
        transaction.rcpts
          .filter((exchange) => exchange.reply?.startsWith('250'))
          .filter(({ sent, answered = Infinity }) =>
            restricted.some(({ from, to }) => from < sent && answered < to),
          )
          .filter((exchange) => !mayNotKnow(history, sessionOf(history, transaction), exchange))
          .map(() => `${describe(transaction)}: accepted while restricted`),
      )
    }),

  'R3: Redis holds the restriction in the end': (history, { books }) =>
    Object.entries(books).flatMap(([tenant, { restricted }]) => {
      const known = knownRestrictions(history, tenant).some(({ to }) => to === Infinity)
      return known && !restricted ? [`${tenant}: was restricted, and is no longer`] : []
    }),

  'a lift holds until the tenant is restricted again': (history) =>
    Object.entries(history.allowances)
      .filter(([, { unregistered }]) => unregistered === ROOMY)
      .flatMap(([tenant]) => {
        const lifted = liftedTimes(history, tenant)
        return history.sessions.flatMap((session) =>
          session.transactions
            .filter((each) => each.tenant === tenant && each.sender === 'unregistered')
            .flatMap((transaction) =>
              [transaction.mail, ...transaction.rcpts]
                .filter(({ reply }) => reply === REPLY.blocked)
                .filter(({ sent, answered = Infinity }) =>
                  lifted.some(({ from, to }) => from < sent && answered < to),
                )
                .filter((exchange) => !isTroubled(history, session, exchange))
                .filter((exchange) => !mayBeMissing(history, exchange))
                .map(() => `${describe(transaction)}: refused though unblocked`),
            ),
        )
      }),

  'no tenant is restricted below the limit': (history, { books }) =>
    Object.entries(books).flatMap(([tenant, { trippedAt }]) => {
      const { unregistered: limit } = history.allowances[tenant]!
      return trippedAt === undefined || trippedAt === limit
        ? []
        : [`${tenant}: tripped at ${trippedAt} of ${limit}`]
    }),

  'R5: no answer is a new one': (history) =>
    history.sessions.flatMap((session) =>
      session.transactions
        .filter(({ sender }) => sender !== 'registered')
        .flatMap((transaction) =>
          [transaction.mail, ...transaction.rcpts]
            .filter(({ reply }) => reply !== undefined && !/^250 /.test(reply))
            .filter(({ reply }) => !allowedAnswers(transaction).includes(reply!))
            .map(({ reply }) => `${describe(transaction)}: ${reply?.trim()}`),
        ),
    ),

  'R5: only trouble defers mail': (history) =>
    history.sessions.flatMap((session) =>
      session.transactions.flatMap((transaction) =>
        [transaction.mail, ...transaction.rcpts]
          .filter(({ reply }) => reply === REPLY.undecidable)
          .filter((exchange) => !isTroubled(history, session, exchange))
          .map(({ verb }) => `${describe(transaction)}: ${verb} got 451 without trouble`),
      ),
    ),
}

const site: Record<string, Invariant> = {
  'every session is greeted at once': (history) =>
    history.sessions.flatMap((session) =>
      session.exchanges
        .filter(({ verb }) => verb === 'CONNECT')
        .filter((exchange) => !mayBeCutOff(history, session, exchange))
        .map((exchange) => timeOf(history, session, exchange))
        .filter((took) => took >= GREETING)
        .map((took) => `${session.tenant}: after ${Math.round(took)} ms`),
    ),

  'every command is answered': (history) =>
    history.sessions.flatMap((session) =>
      session.exchanges
        .filter((exchange) => !mayBeCutOff(history, session, exchange))
        .flatMap((exchange) => {
          const { verb, sent, answered, reply } = exchange
          const who = `${session.tenant}, ${verb} to ${session.pid} at ${Math.round(sent)}`
          if (answered === undefined) return [`${who}: no answer`]
          if (reply === undefined) return [`${who}: the connection has ended`]
          const took = timeOf(history, session, exchange)
          return took < ANSWER ? [] : [`${who}: ${Math.round(took)} ms`]
        }),
    ),

  'R6: no worker dies by itself': (history, { begun, log }) => {
    const { kills, graceful } = history
    const deaths = log.match(/worker \d+ (killed by|exited with).*/g) ?? []
    const expected = 2 + kills.length + 2 * graceful.length
    return [
      ...(deaths.length === kills.length ? [] : [`${kills.length} killed: ${deaths.join('; ')}`]),
      ...(begun.length === expected ? [] : [`${begun.length} workers began, not ${expected}`]),
      ...(log.match(/.*failed to shutdown.*/g) ?? []),
    ]
  },

  'two workers are left': (_history, { running }) =>
    running.length === 2 ? [] : [`running: ${running.join(', ')}`],

  'R6: nothing was thrown': (_history, { log }) =>
    log.match(/.*(exception|unhandled|internal error|plugin timeout|TypeError).*/gi) ?? [],

  'the index of the restricted is right': (_history, { books }) =>
    Object.entries(books).flatMap(([tenant, { restricted, indexed }]) =>
      restricted === indexed ? [] : [`${tenant}: ${restricted ? 'not' : 'still'} in it`],
    ),

  'everything becomes well again': ({ complaints }) => [...complaints],
}

export const INVARIANTS: Readonly<Record<string, Invariant>> = { ...charges, ...mail, ...site }

/** The longest time until a greeting, with and without stalls of the processes, in ms. */
export function slowestGreeting(history: History): { raw: number; own: number } {
  const times = history.sessions.flatMap((session) =>
    session.exchanges
      .filter(({ verb, reply }) => verb === 'CONNECT' && reply !== undefined)
      .map((exchange) => ({
        raw: exchange.answered! - exchange.sent,
        own: timeOf(history, session, exchange),
      })),
  )
  return {
    raw: Math.max(0, ...times.map(({ raw }) => raw)),
    own: Math.max(0, ...times.map(({ own }) => own)),
  }
}

/** The broken rules, and what breaks each. */
export function broken(history: History, evidence: Evidence): Record<string, string[]> {
  const found = Object.entries(INVARIANTS).map(
    ([rule, invariant]) => [rule, invariant(history, evidence)] as const,
  )
  return Object.fromEntries(found.filter(([, violations]) => violations.length > 0))
}

function describe({ tenant, sender, id, ending, rcpts }: Transaction): string {
  return `${tenant} ${sender} ${id} (${ending}, ${rcpts.length} RCPT)`
}

/** Its recipients are counted at the end of DATA. */
function mayBeHeld({ allowances }: History, { tenant, sender }: Transaction): boolean {
  return sender === 'unregistered' && allowances[tenant]?.forwarded !== undefined
}

/** The exchanges in which its recipients may have been counted. */
function countedIn({
  rcpts,
  dot,
  endedAt = Infinity,
}: Transaction): Pick<Exchange, 'sent' | 'answered'>[] {
  return [...rcpts, dot ?? { sent: endedAt, answered: endedAt + AFTERMATH }]
}

function ofTenant(history: History, tenant: string, meter: Charge['meter']): Transaction[] {
  return transactionsOf(history).filter((each) => each.tenant === tenant && each.sender === meter)
}

function metered(history: History): Transaction[] {
  return transactionsOf(history).filter(({ sender }) => sender !== 'registered')
}

function registered({ transactions }: SessionRecord): Transaction[] {
  return transactions.filter(({ sender }) => sender === 'registered')
}

function chargedFor({ books }: Evidence, { id, tenant }: Transaction): number {
  return books[tenant]?.charged.get(id)?.length ?? 0
}

const deliveries = new WeakMap<Evidence, Map<string, number>>()

/** `undefined`: the sink does not have it. */
function recipientsDelivered(evidence: Evidence, id: string): number | undefined {
  let all = deliveries.get(evidence)
  if (!all) {
    all = new Map(evidence.delivered.map(({ uuid, rcptTo }) => [uuid, rcptTo.length]))
    deliveries.set(evidence, all)
  }
  return all.get(id)
}

/** The times between two lifts of a tenant. */
function stretches({ acts }: History, tenant: string): Span[] {
  const lifts = acts.filter((act) => act.tenant === tenant && act.act !== 'block')
  lifts.sort((a, b) => a.from - b.from)
  return [...lifts, undefined].map((next, at) => ({
    from: lifts[at - 1]?.to ?? 0,
    to: next?.from ?? Infinity,
  }))
}

/** Recipients accepted and not returned, with the command after `from` and the reply before `to`. */
function takenWithin(
  history: History,
  tenant: string,
  meter: Charge['meter'],
  { from, to }: Span,
): number {
  return ofTenant(history, tenant, meter)
    .filter(({ ending }) => ending === 'accepted' || ending === 'left')
    .flatMap(({ rcpts }) => rcpts)
    .filter(({ reply, sent, answered = Infinity }) => {
      return reply?.startsWith('250') && sent > from && answered < to
    }).length
}

/** An answer of that time may be lost: Redis was killed before it was on disk. */
function isLossy({ lossy }: History, at: number | undefined): boolean {
  return at !== undefined && lossy.some(({ from, to }) => from <= at && at <= to)
}

/** A charge or refund in that exchange may be lost, also since Redis has gone back to an older copy. */
function isForgotten(
  history: History,
  { sent, answered = Infinity }: Pick<Exchange, 'sent' | 'answered'>,
): boolean {
  if (isLossy(history, answered)) return true
  return history.returns.some(({ from, killed }) => sent <= killed && answered >= from)
}

/** How long until what Redis has lost is put back, in ms: a lift may be known elsewhere for two seconds. */
const PUT_BACK = 5000

/** The times in which restrictions and lifts may be lost and are put back: returns that follow soon are one. */
function returnTimes({ returns }: History): Span[] {
  const spans: Span[] = []
  for (const { from, to } of returns) {
    const last = spans.at(-1)
    const begun = last && from < last.to ? spans.pop()!.from : from
    spans.push({ from: begun, to: to + PUT_BACK })
  }
  return spans
}

/** Whether a change of state of that time outlives a return: a worker knew it until it was put back, or reported. */
export function isKept(history: History, at: number): boolean {
  return returnTimes(history).every(({ from, to }) => {
    if (at < from || at > to) return true
    return workers(history).some((worker) => worker.from <= at && worker.to >= to)
  })
}

/** A lift may be missing at that time, until it is put back. */
function mayBeMissing(history: History, { sent, answered = sent }: Exchange): boolean {
  return returnTimes(history).some(({ from, to }) => from <= answered && sent <= to)
}

/** A worker that began while Redis had lost a restriction, which was not put back yet. */
function mayNotKnow(history: History, { pid }: SessionRecord, { sent }: Exchange): boolean {
  const begun = workers(history).find((worker) => worker.pid === pid)?.from ?? sent
  return returnTimes(history).some(({ from, to }) => begun >= from && sent <= to)
}

/** Each worker, from its first session until it was killed or replaced. */
function workers({ sessions, kills, graceful }: History): (Span & { pid: number })[] {
  const begun = new Map<number, number>()
  for (const session of sessions) {
    begun.set(session.pid, Math.min(begun.get(session.pid) ?? Infinity, begin(session)))
  }
  return Array.from(begun, ([pid, from]) => {
    const killed = kills.find((kill) => kill.pid === pid)?.at ?? Infinity
    const replaced = graceful.find((span) => span.from > from)?.from ?? Infinity
    return { pid, from, to: Math.min(killed, replaced) }
  })
}

/** Recipients whose charge is perhaps lost. */
function perhapsForgotten(history: History, tenant: string, meter: Charge['meter']): number {
  return ofTenant(history, tenant, meter)
    .flatMap(({ rcpts }) => rcpts)
    .filter((exchange) => isForgotten(history, exchange)).length
}

/** How many recipients of a transaction without an accepted message may stay counted. */
function mayStayCounted(history: History, transaction: Transaction): number {
  const { rcpts, ending, endedAt = Infinity } = transaction
  // Haraka may have accepted it.
  if (ending === 'torn') return rcpts.length
  // The refund is lost.
  const refund = { sent: endedAt, answered: endedAt + AFTERMATH }
  if ([refund, ...rcpts].some((each) => isForgotten(history, each))) return rcpts.length
  const kill = killOf(history, transaction)
  if (!kill) return 0
  const waits = history.troubles.some(
    ({ from, to }) => from <= kill.at && to + AFTERMATH >= endedAt,
  )
  return ending === 'broken' || waits || diedSoon(history, transaction) ? rcpts.length : 0
}

/** The worker was killed so soon after the end that it may not have finished it. */
function diedSoon(history: History, transaction: Transaction): boolean {
  const kill = killOf(history, transaction)
  return kill !== undefined && kill.at - transaction.endedAt! < AT_ONCE
}

/** The kill of this transaction's worker. */
function killOf(history: History, transaction: Transaction) {
  const { pid } = sessionOf(history, transaction)
  return history.kills.find((kill) => kill.pid === pid)
}

function sessionOf({ sessions }: History, transaction: Transaction): SessionRecord {
  return sessions.find(({ transactions }) => transactions.includes(transaction))!
}

/** The time of an exchange without the stalls of the processes it needed, in ms. */
function timeOf(history: History, { pid }: SessionRecord, exchange: Exchange): number {
  const span = { from: exchange.sent, to: exchange.answered ?? Infinity }
  const ours = history.stalls.filter((stall) => stall.pid === process.pid || stall.pid === pid)
  // The master accepts the connection first, and the worker of a cut-off session is unknown.
  const all = exchange.verb === 'CONNECT' ? history.stalls : ours
  return all.reduce((took, stall) => took - overlap(stall, span), span.to - span.from)
}

/** The connection may have ended because its worker was killed. */
function mayBeCutOff({ kills }: History, { pid }: SessionRecord, exchange: Exchange): boolean {
  const { reply, sent, answered = Infinity } = exchange
  if (reply !== undefined) return false
  return kills.some((kill) => {
    if (pid !== 0) return kill.pid === pid && kill.at <= answered
    // The worker is unknown. Node does not pass a connection on if the worker dies before accepting it.
    return kill.at > sent - AT_ONCE && kill.at <= answered
  })
}

function refuses({ reply }: Exchange): boolean {
  return reply !== undefined && !reply.startsWith('250')
}

const knowledge = new WeakMap<History, Map<string, number>>()

/** Whether the worker had shown by then that it has the tenant in its cache. */
function knows(history: History, { pid, tenant }: SessionRecord, at: number): boolean {
  let since = knowledge.get(history)
  if (!since) {
    since = new Map()
    for (const session of history.sessions) {
      for (const { mail } of registered(session)) {
        if (!mail.reply?.startsWith('250')) continue
        const key = `${session.pid} ${session.tenant}`
        since.set(key, Math.min(since.get(key) ?? Infinity, mail.answered!))
      }
    }
    knowledge.set(history, since)
  }
  return (since.get(`${pid} ${tenant}`) ?? Infinity) < at
}

/** A worker that started while Redis was away may not have the tenant yet: it defers. */
function mayBeUnknown(history: History, session: SessionRecord, exchange: Exchange): boolean {
  if (exchange.reply !== REPLY.undecidable) return false
  return !knows(history, session, exchange.sent) && isTroubled(history, session, exchange)
}

/** Whether trouble may have kept the worker from Redis. */
function isTroubled(history: History, session: SessionRecord, exchange: Exchange): boolean {
  const { sent, answered = sent } = exchange
  const near = ({ from, to }: Span): boolean => from <= answered && to + AFTERMATH >= sent
  if (history.troubles.some(near)) return true
  const first = Math.min(...history.sessions.filter(({ pid }) => pid === session.pid).map(begin))
  if (answered - first < LOADING) return true
  // Command timeouts need a running process.
  return timeOf(history, session, exchange) < answered - sent
}

function begin({ exchanges }: SessionRecord): number {
  return exchanges[0]!.sent
}

function allowedAnswers({ sender }: Transaction): string[] {
  const others = sender === 'null' ? [REPLY.nullSenderFull, REPLY.oneRecipient] : [REPLY.blocked]
  return [REPLY.undecidable, ...others]
}

/**
 * The times of a tenant's restriction as seen from outside: from a confirmed block, or from the first 5.7.750 of a
 * worker that had accepted since the last lift, until the next lift was requested.
 */
function knownRestrictions(history: History, tenant: string): Span[] {
  return stretches(history, tenant).flatMap(({ from, to }) => {
    const blocks = history.acts
      .filter((act) => act.tenant === tenant && act.act === 'block')
      .filter((act) => act.from > from && act.to < to && !isLossy(history, act.to))
      .map((act) => act.to)
    const times = [...blocks, ...refusalsAfterAccepts(history, tenant, { from, to })]
    const since = Math.min(...times.filter((at) => isKept(history, at)))
    return since < Infinity ? [{ from: since, to }] : []
  })
}

/** The times from which all know that a tenant was unblocked, until it may be restricted again. */
function liftedTimes(history: History, tenant: string): Span[] {
  const ours = history.acts.filter((act) => act.tenant === tenant).sort((a, b) => a.from - b.from)
  return ours.flatMap(({ act, to }, at) =>
    act === 'block' || !isKept(history, to)
      ? []
      : [{ from: to + AT_ONCE, to: ours[at + 1]?.from ?? Infinity }],
  )
}

/** The first refusal of each worker in a span, if it had accepted earlier in that span. */
function refusalsAfterAccepts(history: History, tenant: string, { from, to }: Span): number[] {
  const byWorker = new Map<number, Exchange[]>()
  for (const session of history.sessions) {
    if (session.tenant !== tenant) continue
    const list = byWorker.get(session.pid) ?? []
    byWorker.set(session.pid, list)
    for (const { sender, mail, rcpts } of session.transactions) {
      if (sender === 'unregistered') list.push(mail, ...rcpts)
    }
  }
  return [...byWorker.values()].flatMap((exchanges) => {
    const within = exchanges
      .filter(({ sent, answered = Infinity }) => sent > from && answered < to)
      .sort((a, b) => a.answered! - b.answered!)
    const accepts = within.find(({ verb, reply }) => verb === 'RCPT' && reply?.startsWith('250'))
    // Without an earlier lift, any refusal counts.
    const knewAt = from === 0 ? 0 : (accepts?.answered ?? Infinity)
    const refusal = within.find(({ sent, reply, answered }) => {
      if (sent <= knewAt || reply !== REPLY.blocked || isLossy(history, answered)) return false
      // A restriction that was lifted is there again, until its lift is put back.
      return !history.returns.some(({ killed, to }) => killed < answered! && sent < to + AFTERMATH)
    })
    return refusal ? [refusal.answered!] : []
  })
}
