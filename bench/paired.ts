import { callsDuring, type Calls } from './calls'
import { cpuTime } from './cpu'
import type { MailEffort } from './effort'
import { sendMessages, type Load, type Mail } from './mail-load'
import type { Plot } from './plot'
import type { Progress } from './progress'
import { atMost, type Row } from './row'
import type { SideBySide } from './side-by-side'
import { median, quantile, spreadOf, summarize } from './stats'

/** One kind of mail through one server. */
export interface Subject<Server extends string = string> {
  readonly server: Server
  readonly ip: string
  readonly mail: Mail
  /** The same mail where nobody refuses it: through Haraka alone. */
  readonly alone: Mail
  /** The part of the messages of a batch that it gets, for what takes longer; default: all. */
  readonly share?: number
}

/** The same mail through Haraka alone. */
export function aloneOf(subject: Subject): Subject<'alone'> {
  return { ...subject, server: 'alone', mail: subject.alone }
}

/** CPU a message in µs, of a subject and of the batch through Haraka alone beside it. */
interface Pair {
  readonly cost: number
  readonly alone: number
}

export type Round<Name extends string> = Readonly<Record<Name, Pair>>

/** What is to be measured in pairs. */
export interface Comparison<Name extends string, Server extends string, Timed extends string> {
  readonly subjects: Readonly<Record<Name, Subject<Server | 'alone'>>>
  /** Whose answers one session alone waits for. */
  readonly timed: Readonly<Record<Timed, Subject<Server | 'alone'>>>
  readonly start: () => Promise<SideBySide<Server | 'alone'>>
  /** Sees, behind all else, that the servers did what they were measured at. @throws Error where they did not */
  readonly check?: (servers: SideBySide<Server | 'alone'>) => Promise<void>
}

/** What came of it. */
export interface Compared<Name extends string, Timed extends string> {
  /** Of each start of the servers. */
  readonly rounds: readonly (readonly Round<Name>[])[]
  /** Times of answers, in ms. */
  readonly waits: Readonly<Record<Timed, readonly number[]>>
  /** Of each start, and a message. */
  readonly calls: readonly Readonly<Record<Name, Calls>>[]
}

/**
 * Servers side by side get batches of messages in turn, each batch next to one through Haraka alone; all of that several
 * times, with servers started anew: two equal processes differ, and a machine differs from minute to minute.
 */
export async function compareInPairs<
  Name extends string,
  Server extends string,
  Timed extends string,
>(
  comparison: Comparison<Name, Server, Timed>,
  { starts, rounds, messages, warmUp }: MailEffort,
  progress: Progress,
): Promise<Compared<Name, Timed>> {
  const names = Object.keys(comparison.subjects) as Name[]
  const timed = Object.keys(comparison.timed) as Timed[]
  const compared = {
    rounds: [] as Round<Name>[][],
    waits: Object.fromEntries(timed.map((name) => [name, []])) as unknown as Record<
      Timed,
      number[]
    >,
    calls: [] as Record<Name, Calls>[],
  }
  for (let start = 1; start <= starts; start++) {
    const where = `start ${start} of ${starts}`
    progress.say(`${where}, warming up`)
    const servers = await comparison.start()
    try {
      await warm(servers, comparison, names, warmUp)
      compared.calls.push(await countCalls(servers, comparison, names))
      const ofStart: Round<Name>[] = []
      for (let round = 0; round < rounds; round++) {
        progress.say(`${where}, round ${round + 1} of ${rounds}`)
        ofStart.push(await measureRound(servers, comparison, names, messages, round))
      }
      compared.rounds.push(ofStart)
      progress.say(`${where}, one session alone`)
      await measureWaits(servers, comparison, timed, messages, compared.waits)
      await comparison.check?.(servers)
    } finally {
      await servers.stop()
    }
  }
  return compared
}

/** How many messages of a subject its server gets in one start of the servers, at most. */
export function messagesOfStart({ rounds, messages, warmUp }: MailEffort, share = 1): number {
  return share * (warmUp + rounds * messages + messages) + CALLS_OF
}

function send(
  { servers }: SideBySide<string>,
  { server, ip, mail }: Subject,
  messages: number,
  options: Pick<Load, 'sessions' | 'onDecision'> = {},
): Promise<void> {
  return sendMessages({ ...options, ip, mail, port: servers[server]!.port, messages })
}

type Servers = SideBySide<string>
type AnyComparison = Pick<Comparison<string, string, string>, 'subjects' | 'timed'>

async function warm(
  servers: Servers,
  { subjects }: AnyComparison,
  names: readonly string[],
  messages: number,
): Promise<void> {
  for (const name of names) {
    const subject = subjects[name]!
    const count = Math.ceil(messages * (subject.share ?? 1))
    await send(servers, subject, count)
    await send(servers, aloneOf(subject), count / names.length)
  }
}

/** What comes first in a round, and in a pair, changes from round to round. */
async function measureRound<Name extends string>(
  servers: Servers,
  { subjects }: AnyComparison,
  names: readonly Name[],
  messages: number,
  round: number,
): Promise<Round<Name>> {
  const turn = round % names.length
  const order = [...names.slice(turn), ...names.slice(0, turn)]
  const pairs: Partial<Record<Name, Pair>> = {}
  for (const name of order) {
    const subject = subjects[name]!
    const count = Math.ceil(messages * (subject.share ?? 1))
    const costOf = (each: Subject) => costOfBatch(servers, each, count)
    const aloneFirst = round % 2 === 0 ? await costOf(aloneOf(subject)) : undefined
    const cost = await costOf(subject)
    pairs[name] = { cost, alone: aloneFirst ?? (await costOf(aloneOf(subject))) }
  }
  return pairs as Round<Name>
}

async function costOfBatch(servers: Servers, subject: Subject, messages: number): Promise<number> {
  const { pid } = servers.servers[subject.server]!
  const before = cpuTime(pid)
  await send(servers, subject, messages)
  return (cpuTime(pid) - before) / messages
}

/** In short turns, so that a slow moment of the machine meets all alike. */
async function measureWaits<Timed extends string>(
  servers: Servers,
  { timed }: AnyComparison,
  names: readonly Timed[],
  messages: number,
  waits: Record<Timed, number[]>,
): Promise<void> {
  const piece = 50
  for (let sent = 0; sent < messages; sent += piece) {
    for (const name of names) {
      const subject = timed[name]!
      const count = Math.ceil(piece * (subject.share ?? 1))
      const onDecision = (ms: number) => waits[name].push(ms)
      await send(servers, subject, count, { sessions: 1, onDecision })
    }
  }
}

/** Messages whose calls are counted. */
const CALLS_OF = 100

async function countCalls<Name extends string>(
  servers: Servers,
  { subjects }: AnyComparison,
  names: readonly Name[],
): Promise<Record<Name, Calls>> {
  const calls = {} as Record<Name, Calls>
  for (const name of names) {
    const work = () => send(servers, subjects[name]!, CALLS_OF)
    const { scripts, reports, others } = await callsDuring(servers.redis, work)
    calls[name] = {
      scripts: scripts / CALLS_OF,
      reports: reports / CALLS_OF,
      others: others / CALLS_OF,
    }
  }
  return calls
}

/** What is compared, and what it should not exceed. */
export interface Ratio<Name extends string> {
  readonly what: string
  readonly ratioOf: (round: Round<Name>) => number
  readonly target?: number
  /** It is no whole message, and would stand far from all others in the picture. */
  readonly whole?: false
}

export function toAlone<Name extends string>(name: Name): Ratio<Name>['ratioOf'] {
  return (round) => round[name].cost / round[name].alone
}

/** Of two servers in the same round. */
export function against<Name extends string>(name: Name, other: Name): Ratio<Name>['ratioOf'] {
  return (round) => round[name].cost / round[other].cost
}

type Rounds<Name extends string> = Compared<Name, string>['rounds']

/** @param names whose mail went through it. */
export function aloneRow<Name extends string>(
  what: string,
  rounds: Rounds<Name>,
  names: readonly Name[],
): Row {
  const alone = median(rounds.flat().flatMap((round) => names.map((name) => round[name].alone)))
  return {
    what,
    figure: `${alone.toFixed(0)} µs`,
    detail: 'CPU a message: what the ratios below compare with',
    numbers: { us: alone },
  }
}

export function ratioRow<Name extends string>(
  { what, ratioOf, target }: Ratio<Name>,
  rounds: Rounds<Name>,
): Row {
  const summary = summarize(rounds.map((ofStart) => ofStart.map(ratioOf)))
  return {
    what,
    figure: `${summary.ratio.toFixed(3)} ×`,
    detail: spreadOf(summary, rounds.flat().length),
    ...(target !== undefined && { target: atMost(target, summary.ratio, ' ×') }),
    numbers: { ...summary },
  }
}

export function costPlot<Name extends string>(
  plot: Pick<Plot, 'name' | 'title'>,
  ratios: readonly Ratio<Name>[],
  rounds: Rounds<Name>,
): Plot {
  return {
    ...plot,
    kind: 'spread',
    measure: 'Haraka alone = 1; half of the pairs in the box, 90 % between the whiskers',
    items: ratios
      .filter(({ whole }) => whole !== false)
      .map(({ what, ratioOf, target }) => ({
        label: what.replace(/, (against )/, ',\n$1'),
        samples: rounds.flat().map(ratioOf),
        ...(target !== undefined && { target }),
      })),
  }
}

/** @param what the answer, and to whom. */
export function waitRow(what: string, times: readonly number[]): Row {
  const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)]
  return {
    what: `${what}, p99`,
    figure: `${p99.toFixed(2)} ms`,
    detail: `p50 ${p50.toFixed(2)} ms, of ${times.length.toLocaleString('en-US')}`,
    numbers: { p50Ms: p50, p99Ms: p99 },
  }
}

/** @param of how many of all calls to Redis are a message's. */
export function callsRow<Name extends string>(
  what: string,
  name: Name,
  calls: Compared<Name, string>['calls'],
  of: (calls: Calls) => number,
  target?: number,
): Row {
  // The median: now and then a process asks in the background whether what it knows still holds.
  const figure = median(calls.map((ofStart) => of(ofStart[name])))
  return {
    what: `calls to Redis a message, ${what}`,
    figure: figure.toFixed(2),
    ...(target !== undefined && { target: atMost(target, figure) }),
    numbers: { calls: figure },
  }
}

/** Its scripts; without any, all that it asks for. */
export function scriptsOrOthers({ scripts, others }: Calls): number {
  return scripts || others
}
