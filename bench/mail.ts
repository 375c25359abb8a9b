import { callsDuring } from './calls'
import { CPU_TIME, cpuTime, NO_CPU_TIME } from './cpu'
import { sendMessages, type Load } from './mail-load'
import { startMailServers, TENANTS, type MailServers, type ServerName } from './mail-servers'
import type { Plot } from './plot'
import { atMost, skipped, type Row, type Section } from './row'
import { median, quantile, spreadOf, summarize } from './stats'

const UNREGISTERED = 'a@elsewhere.example'

/** One kind of mail through one server. */
interface Subject {
  readonly server: ServerName
  readonly from: string
  readonly ip: string
  readonly expect: 'accepted' | 'refused'
}

const { open, restricted } = TENANTS
const SUBJECTS = {
  registered: { server: 'ours', from: `a@${open.domain}`, ip: open.ip, expect: 'accepted' },
  unrecorded: {
    ...{ server: 'unrecorded', from: `a@${open.domain}` },
    ...{ ip: open.ip, expect: 'accepted' },
  },
  looking: { server: 'looking', from: `a@${open.domain}`, ip: open.ip, expect: 'accepted' },
  unregistered: { server: 'ours', from: UNREGISTERED, ip: open.ip, expect: 'accepted' },
  limit: { server: 'limit', from: UNREGISTERED, ip: open.ip, expect: 'accepted' },
  refused: { server: 'ours', from: UNREGISTERED, ip: restricted.ip, expect: 'refused' },
} as const satisfies Record<string, Subject>

type Name = keyof typeof SUBJECTS
const NAMES = Object.keys(SUBJECTS) as Name[]

/** CPU a message in µs, of a subject and of the batch through Haraka alone beside it. */
interface Pair {
  readonly cost: number
  readonly alone: number
}

type Round = Readonly<Record<Name, Pair>>

/** CPU of Haraka a message, with and without plugins. */
export const mail: Section = {
  name: 'mail',
  title: 'CPU of Haraka a message',
  meaning:
    'Ratios of the CPU time of one Haraka process to that of a Haraka without the plugin, for the same mail: 1 KB, one ' +
    'recipient, 20 sessions, nothing queued, log level notice. 1.04 means 4 % more. Batches go in turn to servers that ' +
    'run side by side, each paired with a batch through Haraka alone; the figure is the median of the pairs. Refused ' +
    'mail ends at MAIL, so it costs less than a message. The From header of registered mail is looked at in one of ' +
    'twenty messages ([header_from] check=report), in one row in each (check=charge). haraka-plugin-limit counts recipients by sender ' +
    '(rate_rcpt_sender), one fixed window. The answer to RCPT (refused mail: to MAIL) is timed by one session alone.',
  async run({ mail: { starts, rounds, messages, warmUp } }, progress) {
    if (!CPU_TIME) return { rows: [skipped('CPU a message', NO_CPU_TIME)] }
    const measured: Round[][] = []
    const waits = newWaits()
    const commands: Record<Name, number>[] = []
    for (let start = 1; start <= starts; start++) {
      const where = `start ${start} of ${starts}`
      progress.say(`${where}, warming up`)
      const servers = await startMailServers()
      try {
        await warm(servers, warmUp)
        commands.push(await countCommands(servers))
        const ofStart: Round[] = []
        for (let round = 0; round < rounds; round++) {
          progress.say(`${where}, round ${round + 1} of ${rounds}`)
          ofStart.push(await measureRound(servers, messages, round))
        }
        measured.push(ofStart)
        progress.say(`${where}, one session alone`)
        await measureWaits(servers, messages, waits)
      } finally {
        await servers.stop()
      }
    }
    return {
      rows: [...costRows(measured), ...waitRows(waits), ...commandRows(commands)],
      plots: [costPlot(measured), waitPlot(waits)],
    }
  },
}

function send(
  servers: MailServers,
  subject: Subject,
  messages: number,
  options: Pick<Load, 'sessions' | 'onDecision'> = {},
): Promise<void> {
  const { server, ...rest } = subject
  return sendMessages({ ...rest, ...options, port: servers[server].port, messages })
}

/** The same mail where nobody refuses it. */
function aloneOf(subject: Subject): Subject {
  return { ...subject, server: 'alone', expect: 'accepted' }
}

async function warm(servers: MailServers, messages: number): Promise<void> {
  for (const name of NAMES) {
    await send(servers, SUBJECTS[name], messages)
    await send(servers, aloneOf(SUBJECTS[name]), messages / NAMES.length)
  }
}

/** What comes first in a round, and in a pair, changes from round to round. */
async function measureRound(servers: MailServers, messages: number, round: number): Promise<Round> {
  const turn = round % NAMES.length
  const order = [...NAMES.slice(turn), ...NAMES.slice(0, turn)]
  const pairs: Partial<Record<Name, Pair>> = {}
  for (const name of order) {
    const costOf = (subject: Subject) => costOfBatch(servers, subject, messages)
    const subject = SUBJECTS[name]
    const aloneFirst = round % 2 === 0 ? await costOf(aloneOf(subject)) : undefined
    const cost = await costOf(subject)
    pairs[name] = { cost, alone: aloneFirst ?? (await costOf(aloneOf(subject))) }
  }
  return pairs as Round
}

async function costOfBatch(
  servers: MailServers,
  subject: Subject,
  messages: number,
): Promise<number> {
  const { pid } = servers[subject.server]
  const before = cpuTime(pid)
  await send(servers, subject, messages)
  return (cpuTime(pid) - before) / messages
}

/** Who was timed, and how long each answer took, in ms. */
type Waits = Readonly<Record<'alone' | Exclude<Name, 'unrecorded' | 'looking'>, number[]>>

function newWaits(): Waits {
  return { alone: [], registered: [], unregistered: [], limit: [], refused: [] }
}

/** In short turns, so that a slow moment of the machine meets all alike. */
async function measureWaits(servers: MailServers, messages: number, waits: Waits): Promise<void> {
  const piece = 50
  for (let sent = 0; sent < messages; sent += piece) {
    for (const name of TIMED) {
      const subject = name === 'alone' ? aloneOf(SUBJECTS.registered) : SUBJECTS[name]
      const onDecision = (ms: number) => waits[name].push(ms)
      await send(servers, subject, piece, { sessions: 1, onDecision })
    }
  }
}

/** Calls to Redis for a message of each kind. */
async function countCommands(servers: MailServers): Promise<Record<Name, number>> {
  const messages = 100
  const counts = {} as Record<Name, number>
  for (const name of NAMES) {
    const work = () => send(servers, SUBJECTS[name], messages)
    const { scripts, others } = await callsDuring(servers.redis, work)
    counts[name] = (scripts || others) / messages
  }
  return counts
}

type RatioOf = (round: Round) => number

const toAlone =
  (name: Name): RatioOf =>
  (round) =>
    round[name].cost / round[name].alone

/** What is compared, and what it should not exceed. */
interface Ratio {
  readonly what: string
  readonly ratioOf: RatioOf
  readonly target?: number
  /** It is no whole message, and would stand far from all others in the picture. */
  readonly whole?: false
}

const RATIOS: readonly Ratio[] = [
  { what: 'registered', ratioOf: toAlone('registered'), target: 1.04 },
  { what: 'registered, nothing counted for reports', ratioOf: toAlone('unrecorded') },
  { what: 'registered, From of each message looked at', ratioOf: toAlone('looking') },
  { what: 'unregistered, charged', ratioOf: toAlone('unregistered'), target: 1.1 },
  { what: 'refused at MAIL, tenant restricted', ratioOf: toAlone('refused'), whole: false },
  { what: 'haraka-plugin-limit', ratioOf: toAlone('limit') },
  {
    what: 'unregistered, against haraka-plugin-limit',
    ratioOf: ({ unregistered, limit }) => unregistered.cost / limit.cost,
    target: 1.05,
  },
]

function costRows(measured: readonly Round[][]): Row[] {
  const rounds = measured.flat()
  const alone = median(rounds.flatMap((round) => NAMES.map((name) => round[name].alone)))
  return [
    {
      what: 'Haraka alone',
      figure: `${alone.toFixed(0)} µs`,
      detail: 'CPU a message: what the ratios below compare with',
      numbers: { us: alone },
    },
    ...RATIOS.map(({ what, ratioOf, target }): Row => {
      const summary = summarize(measured.map((ofStart) => ofStart.map(ratioOf)))
      return {
        what,
        figure: `${summary.ratio.toFixed(3)} ×`,
        detail: spreadOf(summary, rounds.length),
        ...(target !== undefined && { target: atMost(target, summary.ratio, ' ×') }),
        numbers: { ...summary },
      }
    }),
  ]
}

function costPlot(measured: readonly Round[][]): Plot {
  return {
    kind: 'spread',
    name: 'mail',
    title: 'CPU of Haraka a message',
    measure: 'Haraka alone = 1; half of the pairs in the box, 90 % between the whiskers',
    items: RATIOS.filter(({ whole }) => whole !== false).map(({ what, ratioOf, target }) => ({
      label: what.replace(/, (against )/, ',\n$1'),
      samples: measured.flat().map(ratioOf),
      ...(target !== undefined && { target }),
    })),
  }
}

const WAIT_NAMES = {
  alone: 'Haraka alone',
  registered: 'registered',
  unregistered: 'unregistered, charged',
  limit: 'haraka-plugin-limit',
  refused: 'refused at MAIL',
} as const satisfies Record<keyof Waits, string>

const TIMED = Object.keys(WAIT_NAMES) as (keyof Waits)[]

function waitRows(waits: Waits): Row[] {
  return TIMED.map((name) => {
    const [p50, p99] = [quantile(waits[name], 0.5), quantile(waits[name], 0.99)]
    return {
      what: `answer, ${WAIT_NAMES[name]}, p99`,
      figure: `${p99.toFixed(2)} ms`,
      detail: `p50 ${p50.toFixed(2)} ms, of ${waits[name].length.toLocaleString('en-US')}`,
      numbers: { p50Ms: p50, p99Ms: p99 },
    }
  })
}

function waitPlot(waits: Waits): Plot {
  const values = (share: number) => TIMED.map((name) => quantile(waits[name], share))
  return {
    kind: 'bars',
    name: 'latency',
    title: 'How long a client waits for the decision',
    measure: 'Answer to RCPT in milliseconds, one session alone',
    categories: TIMED.map((name) => WAIT_NAMES[name]),
    series: [
      { label: 'p50', values: values(0.5) },
      { label: 'p99', values: values(0.99) },
    ],
  }
}

function commandRows(commands: readonly Record<Name, number>[]): Row[] {
  const row = (what: string, name: Name, target?: number): Row => {
    // The median: now and then a process asks in the background whether what it knows still holds.
    const calls = median(commands.map((counts) => counts[name]))
    return {
      what: `calls to Redis a message, ${what}`,
      figure: calls.toFixed(2),
      ...(target !== undefined && { target: atMost(target, calls) }),
      numbers: { calls },
    }
  }
  return [
    row('registered', 'registered', 0),
    row('registered, From of each message looked at', 'looking', 0),
    row('refused', 'refused', 0),
    row('unregistered', 'unregistered', 1),
    row('haraka-plugin-limit', 'limit'),
  ]
}
