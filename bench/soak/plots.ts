import type { LinePlot } from '../plot'
import { memoryOf, waitsOf, WHO, workersOf } from './rows'
import { SIDES, type Round, type Soak } from './run'
import type { Point } from './trend'

const MB = 2 ** 20
/** Digits that a picture can show. */
function shown([minute, value]: Point): Point {
  return [Number(minute.toFixed(3)), Number(value.toPrecision(4))]
}

function byRound(rounds: readonly Round[], valueOf: (round: Round) => number): Point[] {
  return rounds.map((round) => shown([round.minute, valueOf(round)]))
}

/** How the run went, over time. */
export function plotsOf(soak: Soak): LinePlot[] {
  return [ratePlot(soak), waitPlot(soak), memoryPlot(soak), redisPlot(soak)]
}

function ratePlot({ rounds }: Soak): LinePlot {
  return {
    kind: 'lines',
    name: 'rate',
    title: 'Messages a second at the highest load',
    measure: 'Of each round, 200 sessions',
    unit: 'minutes',
    series: SIDES.map((name) => ({
      label: WHO[name],
      points: byRound(rounds, (round) => round[name].full.perSecond),
    })),
  }
}

function waitPlot({ rounds }: Soak): LinePlot {
  return {
    kind: 'lines',
    name: 'waits',
    title: 'Answer to RCPT at the highest load',
    measure: 'Milliseconds; 200 sessions wait for each other',
    unit: 'minutes',
    series: SIDES.flatMap((name) =>
      [0.5, 0.99].map((share) => ({
        label: `${WHO[name]}, p${share * 100}`,
        points: byRound(rounds, (round) => waitsOf([round[name].full], 'RCPT').quantile(share)),
      })),
    ),
  }
}

function memoryPlot({ rounds, seconds, startedAt }: Soak): LinePlot {
  const series = workersOf(rounds, 'ours').flatMap((pid, at) => {
    const samples = seconds.ours.filter((sample) => sample.pid === pid)
    const eachSecond = (field: 'rss' | 'heapUsed'): Point[] =>
      samples.map((sample) => shown([(sample.at - startedAt) / 60_000, sample[field] / MB]))
    const collected = memoryOf(rounds, 'ours', pid, 'heapUsed')
    const worker = at + 1
    return [
      { label: `resident ${worker}`, points: eachSecond('rss') },
      { label: `heap ${worker}`, points: eachSecond('heapUsed') },
      { label: `heap ${worker}, collected`, points: collected.map(([x, y]) => shown([x, y / MB])) },
    ]
  })
  return {
    kind: 'lines',
    name: 'memory',
    title: 'Memory of the workers with the plugin',
    measure: 'MB, each second; the heap after a collection of garbage at the end of each round',
    unit: 'minutes',
    series,
  }
}

function redisPlot({ redis, startedAt }: Soak): LinePlot {
  return {
    kind: 'lines',
    name: 'redis',
    title: 'Memory of Redis',
    measure: 'MB; what grows are receipts, which go an hour after their message',
    unit: 'minutes',
    series: [
      {
        label: 'used memory',
        points: redis.map(({ at, usedMemory }) =>
          shown([(at - startedAt) / 60_000, usedMemory / MB]),
        ),
      },
    ],
  }
}
