import { Ledger } from '../src/allowance/ledger'
import type { TestRedis } from '../scripts/services/redis'
import type { Calls } from './calls'
import { CPU_TIME, NO_CPU_TIME } from './cpu'
import { DEFAULTS, PATIENCE } from './ledger-load'
import { accepted, messageFrom, sendMessages, type Mail } from './mail-load'
import { registerTenant, TENANTS } from './mail-servers'
import {
  against,
  aloneRow,
  callsRow,
  compareInPairs,
  costPlot,
  ratioRow,
  scriptsOrOthers,
  toAlone,
  type Comparison,
  type Ratio,
  type Subject,
} from './paired'
import { skipped, type Section } from './row'
import { startSideBySide, type SideBySide } from './side-by-side'
import type { Step } from './smtp-session'
import { openStore } from './store'

const { open } = TENANTS
const OWN = accepted(`a@${open.domain}`)
const KNOWN = accepted('a@elsewhere.example')

/** As shipped, and with the other two settings of [header_from] check. */
type ServerName = 'alone' | 'report' | 'off' | 'charge'

/** Each message from a domain of its own: no process, and no list of owners, has ever seen it. */
function neverSeen(): Mail {
  let number = 0
  return () => messageFrom(`a@never-seen-${++number}.example`)
}

const registered = (server: ServerName) =>
  ({ server, ip: open.ip, mail: OWN, alone: OWN }) satisfies Subject<ServerName>

const SUBJECTS = {
  off: registered('off'),
  report: registered('report'),
  charge: registered('charge'),
  known: { server: 'report', ip: open.ip, mail: KNOWN, alone: KNOWN },
  neverSeen: { server: 'report', ip: open.ip, mail: neverSeen(), alone: neverSeen() },
} as const satisfies Record<string, Subject<ServerName>>

type Name = keyof typeof SUBJECTS

const RATIOS: readonly Ratio<Name>[] = [
  { what: 'registered, header_from off', ratioOf: toAlone('off') },
  { what: 'registered, header_from report', ratioOf: toAlone('report') },
  { what: 'registered, header_from charge', ratioOf: toAlone('charge') },
  { what: 'header_from report, against off', ratioOf: against('report', 'off') },
  { what: 'header_from charge, against off', ratioOf: against('charge', 'off') },
  { what: 'unregistered, one sender domain', ratioOf: toAlone('known') },
  { what: 'unregistered, each from a domain never seen', ratioOf: toAlone('neverSeen') },
  { what: 'domains never seen, against one domain', ratioOf: against('neverSeen', 'known') },
]

/** What it costs to look at who sends, beyond the list of accepted domains. */
export const senders: Section = {
  name: 'senders',
  title: 'CPU of Haraka by sender: header From, and domains never seen',
  meaning:
    'Measured and compared as above, by servers that differ in [header_from] only. Registered mail whose From is the ' +
    'registered sender, so that it is looked at and nothing is found: not at all (off), in one of twenty messages ' +
    '(report, as shipped), in every message (charge). Unregistered mail is charged, and the owner of its domain is ' +
    'looked up in the background, once for a domain: with one domain hardly ever, with a domain never seen for each ' +
    'message. Of the calls to Redis RCPT waits for one, the charge.',
  async run({ senders: effort }, progress) {
    if (!CPU_TIME) return { rows: [skipped('CPU a message, by sender', NO_CPU_TIME)] }
    const comparison: Comparison<Name, ServerName, never> = {
      subjects: SUBJECTS,
      timed: {},
      start: startServers,
      check: checkHeaderFrom,
    }
    const { rounds, calls } = await compareInPairs(comparison, effort, progress)
    const plot = { name: 'senders', title: 'CPU of Haraka a message, by sender' }
    return {
      rows: [
        aloneRow('Haraka alone, by sender', rounds, Object.keys(SUBJECTS) as Name[]),
        ...RATIOS.map((ratio) => ratioRow(ratio, rounds)),
        callsRow('header_from charge', 'charge', calls, scriptsOrOthers, 0),
        callsRow('one sender domain', 'known', calls, all),
        callsRow('each from a domain never seen', 'neverSeen', calls, all),
      ],
      plots: [costPlot(plot, RATIOS, rounds)],
    }
  },
}

/** The look-ups, too. */
function all({ scripts, others }: Calls): number {
  return scripts + others
}

function startServers(): Promise<SideBySide<ServerName>> {
  return startSideBySide(
    (store) => registerTenant(store, open),
    (redis) => ({
      alone: { plugins: [] },
      report: withCheck('report', redis),
      off: withCheck('off', redis),
      charge: withCheck('charge', redis),
    }),
  )
}

function withCheck(check: string, redis: TestRedis) {
  return { redis, plugins: ['unregistered-domain'], settings: { header_from: { check } } }
}

/** @throws Error where a From of no accepted domain is not counted: there would have been nothing to measure. */
async function checkHeaderFrom({ redis, servers }: SideBySide<ServerName>): Promise<void> {
  const [mail, ...rest] = messageFrom(`a@${open.domain}`) as [Step, ...Step[]]
  const [, ...others] = messageFrom('a@elsewhere.example')
  const store = await openStore(redis.port)
  const ledger = new Ledger(store, PATIENCE)
  const used = async () => (await ledger.usage(open.id, DEFAULTS))?.unregistered[0]?.used
  const before = await used()
  const send = (script: readonly Step[]): Promise<void> =>
    sendMessages({
      ...{ port: servers.charge.port, ip: open.ip, messages: 1 },
      mail: () => [mail, ...script],
    })
  await send(others)
  await send(rest)
  const counted = (await used())! - before!
  store.client.disconnect()
  if (counted !== 1) {
    throw new Error(`[header_from] check=charge: ${counted} of two messages were counted, not one`)
  }
}
