import type { Row } from '../row'
import type { Flooded, FloodRun, State } from './flood'
import { rounded, waitRow, WHO } from './rows'
import { SIDES } from './run'
import type { Sample } from './witness'

const KB = 1_024

const STATES: Readonly<Record<State, string>> = {
  quiet: 'no flood',
  idle: 'idle connections',
  slow: 'and slow clients',
}

/** What a flood takes, and what it does to the mail of others. */
export function floodRows({ connections, sides }: FloodRun): Row[] {
  return [...memoryRows(sides, connections), ...mailRows(sides), ...lateRows(sides)]
}

type Sides = FloodRun['sides']

function memoryRows(sides: Sides, connections: number): Row[] {
  const grown = ({ before, idle }: Flooded, field: 'heapUsed' | 'rss'): number =>
    (idle[field] - before[field]) / connections
  const rows = SIDES.map((name): Row => {
    const [heap, rss] = [grown(sides[name], 'heapUsed'), grown(sides[name], 'rss')]
    const left = leftOf(sides[name])
    return {
      what: `an idle connection, ${WHO[name]}`,
      figure: `${(heap / KB).toFixed(2)} KB of heap`,
      detail: `resident ${(rss / KB).toFixed(1)} KB; when all have gone, the heap is ${left} than before`,
      numbers: { heapBytes: heap, rssBytes: rss },
    }
  })
  const ours = grown(sides.ours, 'heapUsed') - grown(sides.alone, 'heapUsed')
  return [
    ...rows,
    {
      what: 'of which the plugin',
      figure: `${rounded(ours)} bytes`,
      detail: `of ${rounded(connections)} connections`,
      numbers: { bytes: ours },
    },
  ]
}

function leftOf({ before, after }: { readonly before: Sample; readonly after: Sample }): string {
  const left = (after.heapUsed - before.heapUsed) / KB
  return `${rounded(Math.abs(left))} KB ${left < 0 ? 'smaller' : 'larger'}`
}

function mailRows(sides: Sides): Row[] {
  return (Object.keys(STATES) as State[]).flatMap((state) =>
    SIDES.flatMap((name): Row[] => {
      const { perSecond, waits } = sides[name].mail[state]
      const row = waitRow(`answer to RCPT, ${STATES[state]}, ${WHO[name]}, p99`, waits.RCPT)
      return [{ ...row, detail: `${rounded(perSecond)} messages a second; ${row.detail}` }]
    }),
  )
}

function lateRows(sides: Sides): Row[] {
  return SIDES.map((name): Row => {
    const { late, connected } = sides[name]
    return {
      what: `event loop late by at most, ${WHO[name]}`,
      figure: `${late.toFixed(0)} ms`,
      detail: `${rounded(connected)} idle connections were still there at the end`,
      numbers: { lateMs: late, connected },
    }
  })
}
