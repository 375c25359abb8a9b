import type { TestRedis } from '../scripts/services/redis'
import type { Store } from '../src/store/store'
import { spread } from './chart'
import { sendMessages, type Load, type Mail } from './mail-load'
import { callsDuring, cpuTime } from './measure'
import { atMost, ratioRow, timesRow, type Measured, type Row, type Run, type Section } from './row'
import { startServers, type LeanOptions, type Servers } from './servers'
import { median, Times } from './stats'

/** A kind of mail through one server. */
export interface Subject {
  readonly what: string
  readonly server: string
  /** Address it comes from. */
  readonly ip: string
  readonly mail: Mail
  /** The same mail through Haraka alone, where that differs, since nothing refuses it there. */
  readonly alone?: Mail
  /** Its share of the messages of a batch, for slow mail; default: all. */
  readonly share?: number
  /** The target of its CPU, Haraka alone = 1. */
  readonly most?: number
  /** The target of its calls to Redis a message. */
  readonly mostCalls?: number
}

/** The same mail through Haraka alone. */
export function aloneOf(subject: Subject): Subject {
  return { ...subject, what: 'Haraka alone', server: 'alone', mail: subject.alone ?? subject.mail }
}

/** The length of a measurement. */
interface Effort {
  /** The number of restarts of all servers. */
  readonly starts: number
  /** Rounds of each start. */
  readonly rounds: number
  /** Messages of a batch. */
  readonly messages: number
  /** Messages of each kind before the first round: V8 compiles what runs for a while. */
  readonly warmUp: number
}

/** A section that compares subjects with Haraka alone. */
export interface Comparison extends Omit<Section, 'run'> {
  readonly full: Effort
  readonly quick: Effort
  readonly subjects: Readonly<Record<string, Subject>>
  /** Pairs of subjects that are also compared with each other. */
  readonly against: readonly (readonly [string, string])[]
  readonly fill: (store: Store) => Promise<void>
  /** The options of each server; `alone` has no plugin. */
  readonly servers: (redis: TestRedis) => Readonly<Record<string, LeanOptions>>
  /** Checks at the end that the servers did what was measured. @throws Error where they did not */
  readonly check?: (servers: Servers<string>) => Promise<void>
}

/** CPU a message in µs, and of the batch through Haraka alone next to it. */
interface Pair {
  readonly cost: number
  readonly alone: number
}

type Round = Readonly<Record<string, Pair>>

/** The measurements of all starts. */
interface Findings {
  /** Of each start. */
  readonly rounds: Round[][]
  /** Answers to one session alone, by subject; `alone`: the first subject's mail through Haraka alone. */
  readonly waits: Readonly<Record<string, Times>>
  /** Calls to Redis a message, of each start. */
  readonly calls: Readonly<Record<string, number>>[]
}

/** Batches of messages whose calls to Redis are counted. */
const CALLS = { batches: 3, messages: 100 }

/** The most messages of a subject that its server gets in one start, a few more. */
export function messagesOfStart({ rounds, messages, warmUp }: Effort, share = 1): number {
  return (
    Math.ceil(share * (warmUp + (rounds + 1) * messages)) + (CALLS.batches + 1) * CALLS.messages
  )
}

/**
 * Servers side by side get batches of messages in turn, each next to a batch through Haraka alone. All servers are
 * restarted several times: two equal processes differ, and a machine changes from minute to minute.
 */
export async function compare(comparison: Comparison, { quick, say }: Run): Promise<Measured> {
  const { subjects, check } = comparison
  const { starts, rounds, messages, warmUp } = quick ? comparison.quick : comparison.full
  const [first] = Object.values(subjects)
  const timed = { alone: aloneOf(first!), ...subjects }
  const waits = Object.fromEntries(Object.keys(timed).map((name) => [name, new Times()]))
  const findings: Findings = { rounds: [], waits, calls: [] }
  for (let start = 1; start <= starts; start++) {
    say(`start ${start} of ${starts}`)
    const servers = await startServers(comparison.fill, comparison.servers)
    try {
      await warm(servers, Object.values(subjects), warmUp)
      findings.calls.push(await countCalls(servers, subjects))
      const ofStart: Round[] = []
      for (let round = 0; round < rounds; round++) {
        ofStart.push(await measureRound(servers, subjects, messages, round))
      }
      findings.rounds.push(ofStart)
      await measureWaits(servers, timed, messages, waits)
      await check?.(servers)
    } finally {
      await servers.stop()
    }
  }
  return report(comparison, findings)
}

/** Sends messages of a subject, by its share. Returns how many. */
async function send(
  { harakas }: Servers<string>,
  { server, ip, mail, share = 1 }: Subject,
  messages: number,
  options: Pick<Load, 'sessions' | 'onDecision'> = {},
): Promise<number> {
  const count = Math.ceil(messages * share)
  await sendMessages({ ...options, ip, mail, port: harakas[server]!.port, messages: count })
  return count
}

async function warm(servers: Servers<string>, subjects: readonly Subject[], messages: number) {
  for (const subject of subjects) {
    await send(servers, subject, messages)
    await send(servers, aloneOf(subject), messages / subjects.length)
  }
}

async function countCalls(servers: Servers<string>, subjects: Comparison['subjects']) {
  const { batches, messages } = CALLS
  const calls: Record<string, number> = {}
  for (const [name, subject] of Object.entries(subjects)) {
    const work = () => send(servers, { ...subject, share: 1 }, messages)
    const counts: number[] = []
    while (counts.length < batches) counts.push(await callsDuring(servers.redis, work))
    // The minimum: a process also works in the background, and writes its reports every few seconds.
    calls[name] = Math.min(...counts) / messages
  }
  return calls
}

/** The order within a round and within a pair changes from round to round. */
async function measureRound(
  servers: Servers<string>,
  subjects: Comparison['subjects'],
  messages: number,
  round: number,
): Promise<Round> {
  const all = Object.entries(subjects)
  const turn = round % all.length
  const pairs: Record<string, Pair> = {}
  const costOf = async (subject: Subject): Promise<number> => {
    const { pid } = servers.harakas[subject.server]!
    const before = cpuTime(pid)
    const count = await send(servers, subject, messages)
    return (cpuTime(pid) - before) / count
  }
  for (const [name, subject] of [...all.slice(turn), ...all.slice(0, turn)]) {
    const aloneFirst = round % 2 === 0 ? await costOf(aloneOf(subject)) : undefined
    const cost = await costOf(subject)
    pairs[name] = { cost, alone: aloneFirst ?? (await costOf(aloneOf(subject))) }
  }
  return pairs
}

/** In short turns, so that a slow moment of the machine affects all equally. */
async function measureWaits(
  servers: Servers<string>,
  timed: Comparison['subjects'],
  messages: number,
  waits: Findings['waits'],
): Promise<void> {
  const batch = 50
  for (let sent = 0; sent < messages; sent += batch) {
    for (const [name, subject] of Object.entries(timed)) {
      const onDecision = (ms: number): void => waits[name]!.add(ms)
      await send(servers, subject, batch, { sessions: 1, onDecision })
    }
  }
}

function report(comparison: Comparison, { rounds, waits, calls }: Findings): Measured {
  const { name, title, subjects, against } = comparison
  const entries = Object.entries(subjects)
  const toAlone = entries.map(([name, { what, most }]) => ({
    what,
    most,
    ratios: ratiosOf(rounds, (round) => round[name]!.cost / round[name]!.alone),
  }))
  const toEachOther = against.map(([name, other]) => ({
    what: `${subjects[name]!.what}, against ${subjects[other]!.what}`,
    most: undefined,
    ratios: ratiosOf(rounds, (round) => round[name]!.cost / round[other]!.cost),
  }))
  const compared = [...toAlone, ...toEachOther]
  const items = compared.map(({ what, ratios, most }) => ({
    label: what.replace(', against ', ',\nagainst '),
    samples: ratios.flat(),
    target: most,
  }))
  const measure = 'Haraka alone = 1; half of the pairs in the box, 90 % between the whiskers'
  return {
    rows: [
      aloneRow(rounds),
      ...compared.map(({ what, ratios, most }) => ratioRow(what, ratios, most)),
      ...Object.entries(waits).map(([name, times]) =>
        timesRow(`answer, ${subjects[name]?.what ?? 'Haraka alone'}`, times),
      ),
      ...entries.map(([name, subject]) =>
        callsRow(
          subject,
          calls.map((ofStart) => ofStart[name]!),
        ),
      ),
    ],
    pictures: [spread({ name, title, measure }, items)],
  }
}

function ratiosOf(rounds: Findings['rounds'], ratioOf: (round: Round) => number): number[][] {
  return rounds.map((ofStart) => ofStart.map(ratioOf))
}

function aloneRow(rounds: Findings['rounds']): Row {
  const us = median(
    rounds.flat().flatMap((round) => Object.values(round).map(({ alone }) => alone)),
  )
  const detail = 'CPU a message; the ratios below compare with it'
  return { what: 'Haraka alone', figure: `${us.toFixed(0)} µs`, detail, numbers: { us } }
}

function callsRow({ what, mostCalls }: Subject, ofStarts: readonly number[]): Row {
  // Less than one in twenty messages is in the background, too.
  const calls = Math.round(Math.min(...ofStarts) * 10) / 10
  return {
    what: `calls to Redis a message, ${what}`,
    figure: calls.toFixed(1),
    ...(mostCalls !== undefined && { target: atMost(mostCalls, calls) }),
    numbers: { calls, ofStarts },
  }
}
