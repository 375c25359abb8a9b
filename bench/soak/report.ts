import { skipped, type Row } from '../row'
import type { SectionResult } from '../report'
import { mostConnections, type FloodRun } from './flood'
import { floodRows } from './flood-rows'
import { plotsOf } from './plots'
import {
  failureRow,
  handleRows,
  LEVEL,
  memoryRows,
  rateRows,
  redisRows,
  restrictionRows,
  waitRows,
} from './rows'
import type { Plan } from './plan'
import type { Soak } from './run'

/** What a run brought, in the form in which the benchmark shows its own. */
export function sectionsOf(
  soak: Soak,
  flood: FloodRun | undefined,
  plan: Plan,
): readonly SectionResult[] {
  const { sessions, tenants, workers, slices, warmUp, seed } = plan
  const [rate, waits, memory, redis] = plotsOf(soak)
  return [
    {
      name: 'load',
      title: 'The highest load',
      meaning:
        `${sessions} sessions of ${tenants} tenants (seed ${seed}), through ${workers} workers, each sending its next message as soon as ` +
        'the last one is taken: clients, Haraka and Redis share the same two cores, so this is what all of them ' +
        'together can do. Messages of 1 KB to one recipient, nothing queued, a new session after every 50 messages. ' +
        'Six tenants of ten send from their own domain only; two send half of their mail from elsewhere (counted), ' +
        'one half of it as bounces (counted), and one is restricted: half of its messages come after an attempt that ' +
        'is refused at MAIL, where Haraka alone takes MAIL and gets RSET. ' +
        `A Haraka without the plugin gets the same mail in slices of ${slices.alone / 1000} s between those of ${slices.full / 1000} s, ` +
        `first or second in turn; then each gets ${slices.paced / 1000} s at a fixed rate, the same for both. The first ` +
        `${warmUp / 1000} s of each are not counted. At the highest load an answer waits for those of all other sessions.`,
      rows: [...rateRows(soak), ...waitRows(soak)],
      plots: [rate!, waits!],
    },
    {
      name: 'restriction',
      title: 'A restriction each minute, under this load',
      meaning:
        'A tenant’s server is taken over: eight sessions pour mail from elsewhere until each is refused. Then its own ' +
        'mail has to pass, the restriction is lifted, and all sessions have to pass again.',
      rows: restrictionRows(soak),
    },
    {
      name: 'memory',
      title: 'What the processes hold',
      meaning:
        'Memory at the end of each round, all sessions open and idle, after two collections of garbage; a straight line ' +
        'by least squares over the last four fifths of the run. Flat is a slope that is lower than twice its standard ' +
        `error, or is below ${LEVEL.heap} KB a minute of heap (a byte or so a message) and ${LEVEL.rss} KB of resident memory. ` +
        'Haraka alone gets a third of the mail.',
      rows: [...memoryRows(soak), ...handleRows(soak)],
      plots: [memory!],
    },
    {
      name: 'redis',
      title: 'What Redis holds',
      meaning:
        'All else is what Redis holds once the receipts have been removed, after the warm-up and at the end.',
      rows: redisRows(soak),
      plots: [redis!],
    },
    {
      name: 'flood',
      title: 'A flood of sessions',
      meaning:
        'As many idle connections to a single process of Haraka with the plugin and to one without; then clients that ' +
        'send a byte a second, that send messages without an end, and that read no answer, fifty of each. Meanwhile 20 ' +
        'sessions of others send their mail through both in turn. Memory after two collections of garbage.',
      rows: flood ? floodRows(flood) : [floodSkipped(plan)],
    },
    {
      name: 'errors',
      title: 'Errors',
      meaning: 'Of both Harakas, of all clients and of Redis, from the start to the end.',
      rows: [failureRow([...soak.failures, ...(flood?.failures ?? [])])],
    },
  ]
}

function floodSkipped({ idle }: Plan): Row {
  return skipped(
    `${idle.toLocaleString('en-US')} idle connections`,
    `this shell allows ${mostConnections().toLocaleString('en-US')} (ulimit -n)`,
  )
}

/** Whether all targets are met. */
export function allMet(sections: readonly { readonly rows: readonly Row[] }[]): boolean {
  return sections.every(({ rows }) => rows.every(({ target }) => target?.met !== false))
}
