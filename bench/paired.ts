import type { TestRedis } from '../scripts/services/redis'
import type { Store } from '../src/store/store'
import { spread } from './chart'
import { sendMessages, type Load, type Mail } from './mail-load'
import { callsDuring, cpuTime } from './measure'
import {
  atMost,
  ratioRow,
  timesRow,
  type Measured,
  type Ratios,
  type Row,
  type Run,
  type Section,
} from './row'
import { beforeOf, startServers, withBefore, type LeanOptions, type Servers } from './servers'
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
  /** See {@link Row.context}. */
  readonly context?: boolean
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
  /** Pairs of subjects that are also compared with each other, and the target of their ratio. */
  readonly against: readonly (readonly [what: string, base: string, most?: number])[]
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
  readonly waits: Record<string, Times>
  /** Calls to Redis a message, of each start. */
  readonly calls: Readonly<Record<string, number>>[]
}

/**
 * The share of a batch that its server gets first, uncounted. Haraka alone rests for one batch of another, a subject for
 * all those of a round: its code and data are then no longer in the caches of the processor.
 */
const WAKING = 1 / 6

/** Batches of messages whose calls to Redis are counted. */
const CALLS = { batches: 3, messages: 100 }

/** The most messages of a subject that its server gets in one start, a few more. */
export function messagesOfStart({ rounds, messages, warmUp }: Effort, share = 1): number {
  return (
    Math.ceil(share * (warmUp + (rounds * (1 + WAKING) + 1) * messages)) +
    (CALLS.batches + 1) * CALLS.messages
  )
}

/**
 * Servers side by side get batches of messages in turn, each next to a batch through Haraka alone. All servers are
 * restarted several times: two equal processes differ, and a machine changes from minute to minute. The other version
 * of the plugin gets the same mail.
 */
export async function compare(
  comparison: Comparison,
  { quick, say, against }: Run,
): Promise<Measured> {
  const { check } = comparison
  const { starts, rounds, messages, warmUp } = quick ? comparison.quick : comparison.full
  const findings: Findings = { rounds: [], waits: {}, calls: [] }
  for (let start = 1; start <= starts; start++) {
    say(`start ${start} of ${starts}`)
    const servers = await startServers(comparison.fill, (redis) =>
      withBefore(comparison.servers(redis), against),
    )
    try {
      const subjects = withBeforeSubjects(comparison.subjects, servers)
      const [first] = Object.values(subjects)
      const timed = { alone: aloneOf(first!), ...comparison.subjects }
      await warm(servers, Object.values(subjects), warmUp)
      findings.calls.push(await countCalls(servers, subjects))
      const ofStart: Round[] = []
      for (let round = 0; round < rounds; round++) {
        ofStart.push(await measureRound(servers, subjects, messages, round))
      }
      findings.rounds.push(ofStart)
      await measureWaits(servers, timed, messages, findings.waits)
      await check?.(servers)
    } finally {
      await servers.stop()
    }
  }
  return report(comparison, findings)
}

/** The subjects, and the mail of each that has a server of the other version through that. */
function withBeforeSubjects(
  subjects: Comparison['subjects'],
  { harakas }: Servers<string>,
): Comparison['subjects'] {
  const others = Object.entries(subjects)
    .map(([name, subject]) => [name, { ...subject, server: beforeOf(subject.server) }] as const)
    .filter(([, { server }]) => server in harakas)
    .map(([name, subject]) => [beforeOf(name), subject] as const)
  return { ...subjects, ...Object.fromEntries(others) }
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
    await send(servers, subject, messages * WAKING)
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
      const times = (waits[name] ??= new Times())
      const onDecision = (ms: number): void => times.add(ms)
      await send(servers, subject, batch, { sessions: 1, onDecision })
    }
  }
}

function report(comparison: Comparison, { rounds, waits, calls }: Findings): Measured {
  const { name, title, subjects, against } = comparison
  const entries = Object.entries(subjects)
  const compared = [
    ...entries.map(([name, { what, most, context }]) => ({
      ...{ what, most, context },
      ...toAlone(rounds, name),
    })),
    ...against.map(([name, base, most]) => ({
      what: `${subjects[name]!.what}, against ${subjects[base]!.what}`,
      ...{ most, context: undefined },
      ...toEachOther(rounds, name, base),
    })),
  ]
  const items = compared.map(({ what, ratios, most }) => ({
    label: what.replace(', against ', ',\nagainst '),
    samples: ratios.flat(),
    target: most,
  }))
  const measure = 'Haraka alone = 1; half of the pairs in the box, 90 % between the whiskers'
  return {
    rows: [
      aloneRow(rounds),
      ...compared.map(({ what, ratios, most, before, context }) =>
        ratioRow(what, ratios, most, { before, context }),
      ),
      ...entries
        .filter(([name]) => hasBefore(rounds, name))
        .map(([name, { what }]) => {
          const { ratios } = toEachOther(rounds, name, beforeOf(name))
          return ratioRow(`${what}, against the other version`, ratios)
        }),
      ...Object.entries(waits).map(([name, times]) =>
        timesRow(`answer, ${subjects[name]?.what ?? 'Haraka alone'}`, times),
      ),
      ...entries.map(([name, subject]) => callsRow(subject, name, calls)),
    ],
    pictures: [spread({ name, title, measure }, items)],
  }
}

/** Ratios of this version, and of the other one where it was measured. */
interface BothRatios {
  readonly ratios: Ratios
  readonly before: Ratios | undefined
}

/** Each batch, divided by the batch of the same mail through Haraka alone next to it. */
function toAlone(rounds: Findings['rounds'], name: string): BothRatios {
  return bothRatios(rounds, name, (pair) => pair.cost / pair.alone)
}

/** Each batch, divided by that of another subject in the same round. */
function toEachOther(rounds: Findings['rounds'], name: string, base: string): BothRatios {
  return bothRatios(rounds, name, (pair, round, version) => {
    return pair.cost / (round[version(base)] ?? round[base]!).cost
  })
}

/** @param ratioOf gets the name of a subject with this version or the other one from `version` */
function bothRatios(
  rounds: Findings['rounds'],
  name: string,
  ratioOf: (pair: Pair, round: Round, version: (name: string) => string) => number,
): BothRatios {
  const ratiosOf = (version: (name: string) => string): Ratios =>
    rounds.map((ofStart) => ofStart.map((round) => ratioOf(round[version(name)]!, round, version)))
  return {
    ratios: ratiosOf((name) => name),
    before: hasBefore(rounds, name) ? ratiosOf(beforeOf) : undefined,
  }
}

function hasBefore(rounds: Findings['rounds'], name: string): boolean {
  return rounds.every((ofStart) => ofStart.every((round) => beforeOf(name) in round))
}

function aloneRow(rounds: Findings['rounds']): Row {
  const us = median(
    rounds.flat().flatMap((round) => Object.values(round).map(({ alone }) => alone)),
  )
  const detail = 'CPU a message; the ratios below compare with it'
  return { what: 'Haraka alone', figure: `${us.toFixed(0)} µs`, detail, numbers: { us } }
}

function callsRow({ what, mostCalls }: Subject, name: string, ofStarts: Findings['calls']): Row {
  // Less than one in twenty messages is in the background, too.
  const callsOf = (name: string): number =>
    Math.round(Math.min(...ofStarts.map((ofStart) => ofStart[name]!)) * 10) / 10
  const calls = callsOf(name)
  const before = callsOf(beforeOf(name))
  return {
    what: `calls to Redis a message, ${what}`,
    figure: calls.toFixed(1),
    ...(Number.isFinite(before) && { before: before.toFixed(1) }),
    ...(mostCalls !== undefined && { target: atMost(mostCalls, calls) }),
    numbers: { calls, ofStarts: ofStarts.map((ofStart) => ofStart[name]!) },
  }
}
