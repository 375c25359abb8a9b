import { atMost, type Row, type Target } from '../row'
import { median, quantile } from '../stats'
import { PACED_SHARE, SIDES, type Round, type SideName, type Soak } from './run'
import { VERBS, Waits, type Tally, type Verb } from './tally'
import { isFlat, trendOf, type Point } from './trend'
import type { Sample } from './witness'

/** Of a run, how much comes before its memory is judged. */
const WARM_UP_SHARE = 0.2
const FEWEST_POINTS = 5
/** Level is what grows by less a minute, in KB, whatever the error: below a byte a message at full load. */
export const LEVEL = { heap: 64, rss: 512 } as const
const KB = 1_024
const MB = 2 ** 20

export const WHO: Readonly<Record<SideName, string>> = {
  ours: 'with the plugin',
  alone: 'Haraka alone',
}

export function rounded(figure: number): string {
  return Math.round(figure).toLocaleString('en-US')
}

/** Messages a second, and what was busy. */
export function rateRows({ rounds }: Soak): Row[] {
  const ratesOf = (name: SideName) => rounds.map((round) => round[name].full.perSecond)
  const ratios = rounds.map(({ ours, alone }) => ours.full.perSecond / alone.full.perSecond)
  const rows = SIDES.map((name): Row => {
    const rates = ratesOf(name)
    const perSecond = median(rates)
    const range = `${rounds.length} rounds ${rounded(Math.min(...rates))} to ${rounded(Math.max(...rates))}`
    return {
      what: `messages a second, ${WHO[name]}`,
      figure: `${rounded(perSecond)} /s`,
      detail: name === 'ours' ? [range, ...coresOf(rounds)].join('; ') : range,
      numbers: { perSecond, rates },
    }
  })
  const ratio = median(ratios)
  return [
    ...rows,
    {
      what: 'with the plugin against alone',
      figure: `${ratio.toFixed(3)} ×`,
      detail: `half of the rounds ${quantile(ratios, 0.25).toFixed(2)} to ${quantile(ratios, 0.75).toFixed(2)}`,
      numbers: { ratio, ratios },
    },
  ]
}

function coresOf(rounds: readonly Round[]): string[] {
  const cores = rounds.flatMap(({ cores }) => cores ?? [])
  if (cores.length === 0) return []
  const share = (who: 'haraka' | 'redis' | 'client'): string =>
    median(cores.map((each) => each[who])).toFixed(2)
  return [
    `cores busy: Haraka ${share('haraka')}, Redis ${share('redis')}, clients ${share('client')}`,
  ]
}

const LOADS = [
  { pace: 'full', what: 'at the highest load' },
  { pace: 'paced', what: `at ${PACED_SHARE * 100} % of it` },
] as const

/** How long clients waited, of all rounds together. */
export function waitRows({ rounds }: Soak): Row[] {
  return LOADS.flatMap(({ pace, what }) =>
    VERBS.flatMap((verb) =>
      SIDES.map((name): Row => {
        const waits = waitsOf(
          rounds.map((round) => round[name][pace]),
          verb,
        )
        return waitRow(`answer to ${verb} ${what}, ${WHO[name]}, p99`, waits)
      }),
    ),
  )
}

export function waitRow(what: string, waits: Waits): Row {
  const [p50, p99] = [waits.quantile(0.5), waits.quantile(0.99)]
  return {
    what,
    figure: `${p99.toFixed(1)} ms`,
    detail: `p50 ${p50.toFixed(2)} ms, longest ${waits.longest.toFixed(0)} ms, of ${rounded(waits.count)}`,
    numbers: { p50Ms: p50, p99Ms: p99, longestMs: waits.longest, count: waits.count },
  }
}

export function waitsOf(tallies: readonly Tally[], verb: Verb): Waits {
  const all = new Waits()
  for (const tally of tallies) all.merge(tally.waits[verb])
  return all
}

/** How a tenant was restricted and set free, again and again. */
export function restrictionRows({ episodes, rounds }: Soak): Row[] {
  const free = episodes.map(({ freeAfter }) => freeAfter)
  const refused = rounds.reduce((sum, { ours }) => sum + ours.full.refused + ours.paced.refused, 0)
  const good = episodes.filter(({ failures }) => failures.length === 0).length
  return [
    {
      what: 'restrictions tripped and lifted',
      figure: `${good} of ${episodes.length}`,
      detail: `each after exactly as many recipients as the allowance had left (${episodes.map(({ accepted }) => accepted).join(', ')}); its own mail passed meanwhile`,
      target: { text: 'all', met: good === episodes.length },
    },
    {
      what: 'from the lift until all its sessions pass, longest',
      figure: `${Math.max(...free).toFixed(0)} ms`,
      detail: `p50 ${median(free).toFixed(0)} ms, under full load`,
      numbers: { longestMs: Math.max(...free), p50Ms: median(free) },
    },
    {
      what: 'refusals of tenants that are restricted all the time',
      figure: rounded(refused),
      detail: 'at MAIL, all with 5.7.750; their own mail passed in between',
      numbers: { refused },
    },
  ]
}

/** Memory of each worker over time. Haraka alone has no target: it is there to compare with. */
export function memoryRows(soak: Soak): Row[] {
  return SIDES.flatMap((name) =>
    workersOf(soak.rounds, name).flatMap((pid, at) => {
      const who = `worker ${at + 1}, ${WHO[name]}`
      return [
        trendRow(`heap after a collection, ${who}`, soak, name, pid, 'heapUsed', LEVEL.heap),
        trendRow(`resident memory, ${who}`, soak, name, pid, 'rss', LEVEL.rss),
      ]
    }),
  )
}

/** Process ids. */
export function workersOf(rounds: readonly Round[], name: SideName): readonly number[] {
  const pids = rounds.flatMap((round) => round[name].memory.map(({ pid }) => pid))
  return [...new Set(pids)].sort((a, b) => a - b)
}

/** What a worker held at the end of each round, in bytes by minute. */
export function memoryOf(
  rounds: readonly Round[],
  name: SideName,
  pid: number,
  what: 'heapUsed' | 'rss',
): readonly Point[] {
  return rounds.flatMap((round) =>
    round[name].memory
      .filter((sample) => sample.pid === pid)
      .map((sample): Point => [round.minute, sample[what]]),
  )
}

function trendRow(
  what: string,
  { rounds }: Soak,
  name: SideName,
  pid: number,
  field: 'heapUsed' | 'rss',
  level: number,
): Row {
  const points = memoryOf(rounds, name, pid, field)
  const settled = points.slice(Math.floor(points.length * WARM_UP_SHARE))
  const [first = [0, 0], last = [0, 0]] = [settled[0], settled.at(-1)]
  const range = `${(first[1] / MB).toFixed(1)} → ${(last[1] / MB).toFixed(1)} MB`
  if (settled.length < FEWEST_POINTS) {
    return { what, figure: range, detail: 'too short a run to tell a trend' }
  }
  const { slope, error } = trendOf(settled.map(([x, y]): Point => [x, y / KB]))
  const sign = slope < 0 ? '−' : '+'
  const target: Target = {
    text: `flat: < 2 errors or < ${level} KB`,
    met: isFlat({ slope, error }, level),
  }
  return {
    what,
    figure: `${sign}${Math.abs(slope).toFixed(1)} KB a minute`,
    detail: `standard error ${error.toFixed(1)}; ${range}, ${settled.length} samples from minute ${first[0].toFixed(1)} on`,
    ...(name === 'ours' && { target }),
    numbers: { kbAMinute: slope, errorKbAMinute: error, firstBytes: first[1], lastBytes: last[1] },
  }
}

/** What keeps the event loops of the workers alive, and how late these were. */
export function handleRows({ rounds, seconds }: Soak): Row[] {
  return SIDES.map((name): Row => {
    const counts = rounds.map((round) => handlesOf(round[name].memory))
    const [first = 0, last = 0] = [counts[0], counts.at(-1)]
    const delays = seconds[name].map(({ delay }) => delay)
    const late =
      delays.length === 0
        ? ''
        : `; event loop late by at most ${Math.max(...delays.map(({ max }) => max)).toFixed(0)} ms`
    const kinds = Object.entries(totalOf(rounds.at(-1)?.[name].memory ?? []))
    return {
      what: `handles of the workers, ${WHO[name]}`,
      figure: `${first} → ${last}`,
      detail: kinds.map(([kind, count]) => `${kind} ${count}`).join(', ') + late,
      ...(name === 'ours' && { target: atMost(first, last) }),
      numbers: { counts },
    }
  })
}

function totalOf(samples: readonly Sample[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const { handles } of samples) {
    for (const [kind, count] of Object.entries(handles)) total[kind] = (total[kind] ?? 0) + count
  }
  return total
}

function handlesOf(samples: readonly Sample[]): number {
  return Object.values(totalOf(samples)).reduce((sum, count) => sum + count, 0)
}

/** KB that Redis may hold more than at first, once the receipts of an hour are gone. */
const REDIS_GROWTH = 256

/** What Redis holds: receipts, which go after an hour, and all else. */
export function redisRows({ redis, receipts, counted }: Soak): Row[] {
  const bytes = (receipts.withThem - receipts.without) / receipts.count
  const growth = (receipts.without - receipts.withoutAtFirst) / KB
  const clients = redis.map((sample) => sample.clients)
  return [
    {
      what: 'Redis: memory of a receipt',
      figure: `${rounded(bytes)} bytes`,
      detail:
        `${rounded(receipts.count)} receipts, ${(receipts.withThem / MB).toFixed(1)} MB with them; ` +
        'each goes an hour after its message, so that grows for an hour and no longer',
      numbers: { bytes, count: receipts.count },
    },
    {
      what: 'Redis: memory of all else',
      figure: `${growth < 0 ? '−' : '+'}${Math.abs(growth).toFixed(0)} KB`,
      detail: `${(receipts.withoutAtFirst / MB).toFixed(2)} → ${(receipts.without / MB).toFixed(2)} MB without receipts`,
      target: atMost(REDIS_GROWTH, growth, ' KB'),
      numbers: { before: receipts.withoutAtFirst, after: receipts.without },
    },
    {
      what: 'Redis: connections',
      figure: `${clients[0] ?? 0} → ${clients.at(-1) ?? 0}`,
      detail: `at most ${Math.max(0, ...clients)}`,
      target: atMost(clients[0] ?? 0, clients.at(-1) ?? 0),
      numbers: { most: Math.max(0, ...clients) },
    },
    {
      what: 'recipients counted',
      figure: rounded(counted.redis),
      detail: `the clients had ${rounded(counted.clients)} taken`,
      target: { text: `= ${rounded(counted.clients)}`, met: counted.redis === counted.clients },
      numbers: { ...counted },
    },
  ]
}

/** Whatever went otherwise than it should. */
export function failureRow(failures: readonly string[]): Row {
  return {
    what: 'errors',
    figure: failures.length.toString(),
    detail:
      failures.length > 0
        ? failures.slice(0, 3).join('; ')
        : 'no reply but the expected one, no log line at error or above, no worker that ended',
    target: atMost(0, failures.length),
    numbers: { failures: failures.length },
  }
}
