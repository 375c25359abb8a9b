import { CPU_TIME, NO_CPU_TIME } from './cpu'
import { accepted, refused } from './mail-load'
import { startMailServers, TENANTS, type ServerName } from './mail-servers'
import {
  against,
  aloneOf,
  aloneRow,
  callsRow,
  compareInPairs,
  costPlot,
  ratioRow,
  scriptsOrOthers,
  toAlone,
  waitRow,
  type Compared,
  type Ratio,
  type Subject,
} from './paired'
import type { Plot } from './plot'
import { skipped, type Row, type Section } from './row'
import { quantile } from './stats'

const { open, restricted } = TENANTS
const OWN = accepted(`a@${open.domain}`)
const ELSEWHERE = accepted('a@elsewhere.example')

/** Mail of each kind, and the server that it goes through. */
export const SUBJECTS = {
  registered: { server: 'ours', ip: open.ip, mail: OWN, alone: OWN },
  unrecorded: { server: 'unrecorded', ip: open.ip, mail: OWN, alone: OWN },
  unregistered: { server: 'ours', ip: open.ip, mail: ELSEWHERE, alone: ELSEWHERE },
  limit: { server: 'limit', ip: open.ip, mail: ELSEWHERE, alone: ELSEWHERE },
  refused: {
    ...{ server: 'ours', ip: restricted.ip },
    ...{ mail: refused('a@elsewhere.example'), alone: ELSEWHERE },
  },
} as const satisfies Record<string, Subject<ServerName>>

type Name = keyof typeof SUBJECTS

const TIMED = {
  alone: { what: 'Haraka alone', subject: aloneOf(SUBJECTS.registered) },
  registered: { what: 'registered', subject: SUBJECTS.registered },
  unregistered: { what: 'unregistered, charged', subject: SUBJECTS.unregistered },
  limit: { what: 'haraka-plugin-limit', subject: SUBJECTS.limit },
  refused: { what: 'refused at MAIL', subject: SUBJECTS.refused },
} as const

type Timed = keyof typeof TIMED
const TIMED_NAMES = Object.keys(TIMED) as Timed[]

const RATIOS: readonly Ratio<Name>[] = [
  { what: 'registered', ratioOf: toAlone('registered'), target: 1.04 },
  { what: 'registered, nothing counted for reports', ratioOf: toAlone('unrecorded') },
  { what: 'unregistered, charged', ratioOf: toAlone('unregistered'), target: 1.1 },
  { what: 'refused at MAIL, tenant restricted', ratioOf: toAlone('refused'), whole: false },
  { what: 'haraka-plugin-limit', ratioOf: toAlone('limit') },
  {
    what: 'unregistered, against haraka-plugin-limit',
    ratioOf: against('unregistered', 'limit'),
    target: 1.05,
  },
]

/** CPU of Haraka a message, with and without plugins. */
export const mail: Section = {
  name: 'mail',
  title: 'CPU of Haraka a message',
  meaning:
    'Ratios of the CPU time of one Haraka process to that of a Haraka without the plugin, for the same mail: 1 KB, one ' +
    'recipient, 20 sessions, nothing queued, log level notice. 1.04 means 4 % more. Batches go in turn to servers that ' +
    'run side by side, each paired with a batch through Haraka alone; the figure is the median of the pairs. Refused ' +
    'mail ends at MAIL, so it costs less than a message. The From header of registered mail is looked at in one of ' +
    'twenty messages, as shipped. haraka-plugin-limit counts recipients by sender (rate_rcpt_sender), one fixed window. ' +
    'The answer to RCPT (refused mail: to MAIL) is timed by one session alone.',
  async run({ mail: effort }, progress) {
    if (!CPU_TIME) return { rows: [skipped('CPU a message', NO_CPU_TIME)] }
    const timed = Object.fromEntries(
      TIMED_NAMES.map((name) => [name, TIMED[name].subject]),
    ) as Record<Timed, Subject<ServerName>>
    const comparison = { subjects: SUBJECTS, timed, start: () => startMailServers() }
    const compared = await compareInPairs<Name, ServerName, Timed>(comparison, effort, progress)
    const { rounds, waits } = compared
    return {
      rows: [
        aloneRow('Haraka alone', rounds, Object.keys(SUBJECTS) as Name[]),
        ...RATIOS.map((ratio) => ratioRow(ratio, rounds)),
        ...TIMED_NAMES.map((name) => waitRow(`answer, ${TIMED[name].what}`, waits[name])),
        ...callsRows(compared),
      ],
      plots: [
        costPlot({ name: 'mail', title: 'CPU of Haraka a message' }, RATIOS, rounds),
        waitPlot(waits),
      ],
    }
  },
}

function waitPlot(waits: Compared<Name, Timed>['waits']): Plot {
  const values = (share: number) => TIMED_NAMES.map((name) => quantile(waits[name], share))
  return {
    kind: 'bars',
    name: 'latency',
    title: 'How long a client waits for the decision',
    measure: 'Answer to RCPT in milliseconds, one session alone',
    categories: TIMED_NAMES.map((name) => TIMED[name].what),
    series: [
      { label: 'p50', values: values(0.5) },
      { label: 'p99', values: values(0.99) },
    ],
  }
}

function callsRows({ calls }: Compared<Name, Timed>): Row[] {
  const row = (what: string, name: Name, target: number): Row =>
    callsRow(what, name, calls, scriptsOrOthers, target)
  return [
    row('registered', 'registered', 0),
    row('refused', 'refused', 0),
    row('unregistered', 'unregistered', 1),
    // Scripts are those of our processes, in the background.
    callsRow('haraka-plugin-limit', 'limit', calls, ({ others }) => others),
  ]
}
