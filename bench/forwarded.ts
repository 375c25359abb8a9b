import { Ledger } from '../src/allowance/ledger'
import { keyZones, signer } from '../test/support/signed'
import { TestDns } from '../test/support/dns'
import { CPU_TIME, NO_CPU_TIME } from './cpu'
import { DEFAULTS, PATIENCE, ROOMY } from './ledger-load'
import type { Mail } from './mail-load'
import { registerTenant, TENANTS } from './mail-servers'
import {
  against,
  aloneOf,
  aloneRow,
  callsRow,
  compareInPairs,
  costPlot,
  messagesOfStart,
  ratioRow,
  scriptsOrOthers,
  toAlone,
  waitRow,
  type Comparison,
  type Ratio,
  type Subject,
} from './paired'
import { skipped, type Section } from './row'
import { startSideBySide, type LocalPlugin, type SideBySide } from './side-by-side'
import { SIGNER, SignedMail } from './signed-mail'
import { openStore } from './store'

const { open } = TENANTS

/** `dkim` has haraka-plugin-dkim, which verifies the same signatures. */
type ServerName = 'alone' | 'dkim' | 'ours'

const SIZES = { small: { lines: 12, share: 1 }, large: { lines: 1_420, share: 1 / 4 } } as const

type Name = 'small' | 'smallDkim' | 'large' | 'largeDkim'
type Timed = 'alone' | 'dkim' | 'ours'

/** Refuses what was not found to be signed, so that no other work than this is measured; in the hook that all have. */
const TAKES_SIGNED = `
exports.hook_queue = exports.hook_queue_outbound = (next, { transaction }) =>
  transaction.results.get('dkim')?.pass?.length > 0 ? next(OK) : next(DENY, 'not verified')
`

const RATIOS: readonly Ratio<Name>[] = [
  { what: 'forwarded', ratioOf: toAlone('small') },
  { what: 'haraka-plugin-dkim', ratioOf: toAlone('smallDkim') },
  { what: 'forwarded, against haraka-plugin-dkim', ratioOf: against('small', 'smallDkim') },
  { what: 'forwarded, 100 KB', ratioOf: toAlone('large') },
  { what: 'haraka-plugin-dkim, 100 KB', ratioOf: toAlone('largeDkim') },
  {
    what: 'forwarded, against haraka-plugin-dkim, 100 KB',
    ratioOf: against('large', 'largeDkim'),
  },
]

/** What a proven forward costs, beside a Haraka that verifies the same signature. */
export const forwarded: Section = {
  name: 'forwarded',
  title: 'CPU of Haraka a forwarded message',
  meaning:
    'Measured and compared as above. Mail of an outside sender to a tenant’s mailbox, with a signature of its own each ' +
    '(DKIM, RSA with 2048 bits, relaxed/relaxed), which the tenant’s server sends on to one recipient: held at RCPT, ' +
    'proven at the end of DATA and counted as forwarded, which the meter is asked for in the end. Beside it Haraka alone, ' +
    'which looks at no signature, and Haraka with haraka-plugin-dkim, which refuses here what it cannot verify. The key ' +
    'is looked up for each message, at a DNS server of the bench. The wait is that for the answer to the message.',
  async run({ forwarded: effort }, progress) {
    if (!CPU_TIME) return { rows: [skipped('CPU a forwarded message', NO_CPU_TIME)] }
    const dns = await TestDns.start(keyZones([signer(SIGNER)]))
    try {
      let sent = 0
      const counted = (mail: Mail): Mail => {
        return () => {
          sent++
          return mail()
        }
      }
      const subject = (server: ServerName, signed: SignedMail, share: number) => ({
        ...{ server, ip: open.ip, share },
        mail: server === 'ours' ? counted(signed.mail()) : signed.mail(),
        alone: signed.mail(),
      })
      progress.say('signing')
      const [small, large] = Object.values(SIZES).map(({ share, ...size }) => {
        const count = messagesOfStart(effort, share)
        return { share, signed: new SignedMail(Math.ceil(count), `pupil@${open.domain}`, size) }
      })
      const subjects = {
        small: subject('ours', small!.signed, small!.share),
        smallDkim: subject('dkim', small!.signed, small!.share),
        large: subject('ours', large!.signed, large!.share),
        largeDkim: subject('dkim', large!.signed, large!.share),
      } as const satisfies Record<Name, Subject<ServerName>>
      const comparison: Comparison<Name, ServerName, Timed> = {
        subjects,
        timed: {
          alone: aloneOf(subjects.small),
          dkim: subjects.smallDkim,
          ours: subjects.small,
        },
        start: () => {
          sent = 0
          return startServers(dns)
        },
        check: (servers) => checkForwarded(servers, sent),
      }
      const { rounds, waits, calls } = await compareInPairs(comparison, effort, progress)
      const plot = { name: 'forwarded', title: 'CPU of Haraka a forwarded message' }
      return {
        rows: [
          aloneRow('Haraka alone, signed mail', rounds, ['small', 'smallDkim']),
          aloneRow('Haraka alone, signed mail, 100 KB', rounds, ['large', 'largeDkim']),
          ...RATIOS.map((ratio) => ratioRow(ratio, rounds)),
          waitRow('answer to the message, Haraka alone', waits.alone),
          waitRow('answer to the message, haraka-plugin-dkim', waits.dkim),
          waitRow('answer to the message, forwarded', waits.ours),
          callsRow('forwarded', 'small', calls, scriptsOrOthers, 2),
        ],
        plots: [costPlot(plot, RATIOS, rounds)],
      }
    } finally {
      await dns.stop()
    }
  },
}

function startServers(dns: TestDns): Promise<SideBySide<ServerName>> {
  return startSideBySide(
    (store) => registerTenant(store, open, { forwardedLimits: ROOMY }),
    (redis) => ({
      alone: { plugins: [] },
      dkim: { plugins: ['dkim'], taker: TAKES_SIGNED },
      ours: { redis, plugins: ['unregistered-domain'] },
    }),
    [nameServer(dns.address)],
  )
}

/** Lets a Haraka ask this name server. */
function nameServer(address: string): LocalPlugin {
  return {
    name: 'bench_name_server',
    text: `exports.register = () => require('node:dns').setServers(['${address}'])\n`,
  }
}

/** @throws Error where not all of these were counted as forwarded: another thing would have been measured. */
async function checkForwarded({ redis }: SideBySide<ServerName>, sent: number): Promise<void> {
  const store = await openStore(redis.port)
  const usage = await new Ledger(store, PATIENCE).usage(open.id, DEFAULTS)
  store.client.disconnect()
  const used = usage?.forwarded?.[0]?.used
  if (used !== sent) throw new Error(`${used} of ${sent} messages were counted as forwarded`)
}
