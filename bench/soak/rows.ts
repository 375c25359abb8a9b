import { lines, type Picture } from '../chart'
import type { SectionResult } from '../report'
import { atMost, megabytes, timesRow, whole, type Row } from '../row'
import { isFlat, median, trendOf, type Point } from '../stats'
import type { Held } from '../witness'
import type { Plan, Round, Soak } from './run'

/** The share of a run before its memory is judged. */
const SETTLING_SHARE = 0.2
const FEWEST_POINTS = 5
/** KB a minute: memory that grows by less is flat. For the heap that is about a byte a message. */
const FLAT = { heapUsed: 64, rss: 512 }
/** The allowed growth of Redis in KB, without receipts. */
const REDIS_GROWTH = 256
const KB = 1_024

/** What a run found, as sections of a report. */
export function sectionsOf(soak: Soak, plan: Plan): readonly SectionResult[] {
  const { rounds } = soak
  const { sessions, tenants, workers, seed } = plan
  return [
    {
      name: 'load',
      title: 'The highest load',
      meaning:
        `${sessions} sessions of ${tenants} tenants (seed ${seed}), through ${workers} workers, each sending its next ` +
        'message as soon as the last one is accepted: clients, Haraka and Redis share the cores, so this is what all ' +
        'together can do. Messages of 1 KB to one recipient, nothing queued, a new session after every 50 messages. ' +
        'Of ten tenants six send from their own domain only; two send half of their mail from elsewhere (counted), one ' +
        'half of it as bounces (counted). One is restricted: before half of its messages it tries unregistered mail ' +
        'and is refused at MAIL. An answer waits for those of all other sessions.',
      rows: [rateRow(rounds), timesRow('answer of the plugin', soak.answers), refusedRow(rounds)],
    },
    {
      name: 'restriction',
      title: 'A restriction each minute, under this load',
      meaning:
        'A tenant is taken over: eight sessions send mail from elsewhere until each is refused. Then its own mail has ' +
        'to pass, the restriction is lifted, and all sessions have to pass again.',
      rows: restrictionRows(soak),
    },
    {
      name: 'memory',
      title: 'What the processes hold',
      meaning:
        'At the end of each round, when its sessions have ended, after two collections of garbage. A straight line by ' +
        'least squares through the last four fifths of the run is flat if its slope is below twice its standard error, ' +
        `or below ${FLAT.heapUsed} KB of heap and ${FLAT.rss} KB of resident memory a minute.`,
      rows: [...memoryRows(rounds), handlesRow(rounds)],
      pictures: [memoryPicture(rounds)],
    },
    {
      name: 'redis',
      title: 'What Redis holds',
      meaning: 'All else is the memory without receipts, after the warm-up and at the end.',
      rows: redisRows(soak),
      pictures: [
        megabytesByRound('redis', 'Memory of Redis', rounds, {
          'used memory': ({ redis }) => redis,
        }),
      ],
    },
    {
      name: 'errors',
      title: 'Errors',
      meaning: 'Of Haraka, of all clients and of Redis, from the start to the end.',
      rows: [failureRow(soak.failures)],
    },
  ]
}

/** @param series the value of each round, in bytes */
function megabytesByRound(
  name: string,
  title: string,
  rounds: readonly Round[],
  series: Readonly<Record<string, (round: Round) => number>>,
): Picture {
  const drawn = Object.entries(series).map(([label, bytesOf]) => ({
    label,
    points: rounds.map((round): Point => [round.minute, bytesOf(round) / KB ** 2]),
  }))
  return lines({ name, title, measure: 'MB at the end of each round' }, 'minutes', drawn)
}

function memoryPicture(rounds: readonly Round[]): Picture {
  const series = rounds[0]!.held.flatMap((_, at) => [
    [`resident ${at + 1}`, ({ held }: Round) => held[at]!.rss] as const,
    [`heap ${at + 1}`, ({ held }: Round) => held[at]!.heapUsed] as const,
  ])
  return megabytesByRound('memory', 'Memory of the workers', rounds, Object.fromEntries(series))
}

function rateRow(rounds: readonly Round[]): Row {
  const rates = rounds.map(({ perSecond }) => perSecond)
  return {
    what: 'messages a second',
    figure: `${whole(median(rates))} /s`,
    detail: `${rates.length} rounds ${whole(Math.min(...rates))} to ${whole(Math.max(...rates))}`,
    numbers: { perSecond: median(rates), rates },
  }
}

function refusedRow(rounds: readonly Round[]): Row {
  const refused = rounds.reduce((sum, round) => sum + round.refused, 0)
  return {
    what: 'refusals of restricted tenants',
    figure: whole(refused),
    detail: 'at MAIL, all with 5.7.750; their own mail passed in between',
    numbers: { refused },
  }
}

function restrictionRows({ episodes }: Soak): Row[] {
  const good = episodes.filter(({ failures }) => failures.length === 0).length
  const free = episodes.map(({ freeAfter }) => freeAfter)
  const accepted = episodes.map((episode) => episode.accepted).join(', ')
  return [
    {
      what: 'restrictions tripped and lifted',
      figure: `${good} of ${episodes.length}`,
      detail: `each after exactly what was left of the allowance (${accepted}); its own mail passed`,
      target: { text: 'all', met: good === episodes.length },
    },
    {
      what: 'from the lift until all its sessions pass, longest',
      figure: `${Math.max(...free).toFixed(0)} ms`,
      detail: `p50 ${median(free).toFixed(0)} ms, under full load`,
      numbers: { longestMs: Math.max(...free), p50Ms: median(free) },
    },
  ]
}

function memoryRows(rounds: readonly Round[]): Row[] {
  return rounds[0]!.held.flatMap((_, at) => [
    trendRow(`heap of worker ${at + 1}`, rounds, at, 'heapUsed'),
    trendRow(`resident memory of worker ${at + 1}`, rounds, at, 'rss'),
  ])
}

function trendRow(
  what: string,
  rounds: readonly Round[],
  worker: number,
  field: 'heapUsed' | 'rss',
): Row {
  const judged = rounds.slice(Math.floor(rounds.length * SETTLING_SHARE))
  const bytes = judged.map(({ held }) => held[worker]![field])
  const range = `${megabytes(bytes[0]!)} → ${megabytes(bytes.at(-1)!)}`
  if (judged.length < FEWEST_POINTS) {
    return { what, figure: range, detail: 'the run is too short to show a trend' }
  }
  const { slope, error } = trendOf(judged.map(({ minute }, at): Point => [minute, bytes[at]! / KB]))
  const from = judged[0]!.minute.toFixed(1)
  return {
    what,
    figure: `${signed(slope)} KB a minute`,
    detail: `standard error ${error.toFixed(1)}; ${range}, ${judged.length} samples from minute ${from} on`,
    target: {
      text: `flat: < 2 errors or < ${FLAT[field]} KB`,
      met: isFlat({ slope, error }, FLAT[field]),
    },
    numbers: { kbAMinute: slope, errorKbAMinute: error, bytes },
  }
}

function handlesRow(rounds: readonly Round[]): Row {
  const sum = (held: readonly Held[]) => held.reduce((all, { handles }) => all + handles, 0)
  const counts = rounds.map(({ held }) => sum(held))
  const late = Math.max(...rounds.flatMap(({ held }) => held.map((each) => each.late)))
  return {
    ...levelRow('handles of the workers', counts),
    detail: `event loop late by at most ${late.toFixed(0)} ms`,
  }
}

/** A count that must not grow during the run. */
function levelRow(what: string, counts: readonly number[]): Row {
  const [first, last] = [counts[0] ?? 0, counts.at(-1) ?? 0]
  return {
    what,
    figure: `${first} → ${last}`,
    detail: `at most ${Math.max(...counts)}`,
    target: atMost(first, last),
    numbers: { counts },
  }
}

function redisRows({ rounds, receipts, counted }: Soak): Row[] {
  const { count, withThem, without, withoutAtFirst } = receipts
  const bytes = (withThem - without) / count
  const growth = (without - withoutAtFirst) / KB
  return [
    {
      what: 'Redis: memory of a receipt',
      figure: `${whole(bytes)} bytes`,
      detail: `${whole(count)} receipts, ${megabytes(withThem)} with them; each goes an hour after its message`,
      numbers: { bytes, count },
    },
    {
      what: 'Redis: memory of all else',
      figure: `${signed(growth)} KB`,
      detail: `${megabytes(withoutAtFirst)} → ${megabytes(without)}`,
      target: atMost(REDIS_GROWTH, growth, ' KB'),
      numbers: { before: withoutAtFirst, after: without },
    },
    levelRow(
      'Redis: connections',
      rounds.map(({ connections }) => connections),
    ),
    {
      what: 'recipients counted',
      figure: whole(counted.redis),
      detail: `the clients had ${whole(counted.clients)} accepted`,
      target: { text: `= ${whole(counted.clients)}`, met: counted.redis === counted.clients },
      numbers: { ...counted },
    },
  ]
}

function failureRow(failures: readonly string[]): Row {
  const none = 'every reply was the expected one, no log line at error or above, no worker ended'
  return {
    what: 'errors',
    figure: failures.length.toString(),
    detail: failures.length > 0 ? failures.slice(0, 3).join('; ') : none,
    target: atMost(0, failures.length),
    numbers: { failures: failures.length },
  }
}

/** `+12.3`, `−0.4` */
function signed(figure: number): string {
  return `${figure < 0 ? '−' : '+'}${Math.abs(figure).toFixed(1)}`
}
