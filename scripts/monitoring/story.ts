import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { startExporter, type TestExporter } from '../services/exporter'
import { startHaraka, type TestHaraka } from '../services/haraka'
import { hostNamed } from '../services/host-named'
import { freePort } from '../services/port'
import { startRedis } from '../services/redis'
import { tenantctl } from '../services/tenantctl'

/** Two hosts, and an exporter of each. */
export interface Relay {
  /** Where nothing listens yet that takes alerts. */
  readonly oncall: number
  readonly hosts: readonly TestHaraka[]
  readonly exporters: readonly TestExporter[]
}

/** The tenants, and how many recipients of each sender domain they have in a minute. */
const TENANTS = {
  contoso: { own: 40, other: 6 },
  fabrikam: { own: 60, other: 12 },
  northwind: { own: 30, other: 20 },
  tailspin: { own: 50, other: 16 },
  adatum: { own: 20, other: 3 },
  wingtip: { own: 40, other: 26 },
} as const

type Name = keyof typeof TENANTS
const NAMES = Object.keys(TENANTS) as Name[]

const addressOf = (name: Name): string => `127.78.0.${NAMES.indexOf(name) + 1}`

/** Starts all of it, with the tenants registered. */
export async function openRelay(): Promise<Relay> {
  const redis = await startRedis({ args: ['--maxmemory', '64mb'] })
  const oncall = await freePort()
  const settings = {
    allowance: { limits: '160/1h' },
    'alert oncall': { url: `http://127.0.0.1:${oncall}/` },
  }
  const hosts = await Promise.all(
    ['mx1', 'mx2'].map((name) =>
      startHaraka({ redis, nodes: 2, settings, preload: hostNamed(name) }),
    ),
  )
  for (const name of NAMES) {
    await type({ hosts }, 'tenant', 'add', name)
    await type({ hosts }, 'domain', 'add', name, `${name}.example`)
    await type({ hosts }, 'connector', 'add', name, 'mx', '--ip', addressOf(name))
  }
  const exporters = await Promise.all(hosts.map(({ configDir }) => startExporter(configDir)))
  return { oncall, hosts, exporters }
}

/**
 * Ordinary mail; then contoso is taken over. Alerts wait for a while, since nothing takes them; enforcement is paused,
 * and contoso unblocked on trial.
 */
export async function playDay(relay: Relay): Promise<void> {
  const day = new AbortController()
  const mail = NAMES.flatMap((name) => [
    keepSending(relay, name, `ann@${name}.example`, TENANTS[name].own, day.signal),
    keepSending(relay, name, 'news@agency.example', TENANTS[name].other, day.signal),
  ])
  mail.push(keepSending(relay, 'fabrikam', '', 4, day.signal))
  mail.push(keepSending(relay, 'tailspin', 'ann@adatum.example', 10, day.signal))
  await sleep(40_000)
  const abuse = new AbortController()
  mail.push(keepSending(relay, 'contoso', 'win@lure.example', 480, abuse.signal))
  await sleep(60_000)
  createServer((_, response) => response.writeHead(204).end()).listen(relay.oncall, '127.0.0.1')
  await type(relay, 'enforcement', 'pause', '--reason', 'a wrong limit')
  await sleep(20_000)
  await type(relay, 'enforcement', 'resume', '--reason', 'corrected', '--keep-usage')
  await sleep(30_000)
  abuse.abort()
  await sleep(20_000)
  await type(relay, 'unblock', 'contoso', '--reason', 'secured', '--limits', '50/1h', '--for', '7d')
  await sleep(30_000)
  await type(relay, 'block', 'northwind', '--reason', 'reported by a recipient')
  await sleep(30_000)
  day.abort()
  await Promise.all(mail)
}

/** Messages of one recipient, at random times, to the hosts in turn. */
async function keepSending(
  { hosts }: Relay,
  name: Name,
  from: string,
  aMinute: number,
  end: AbortSignal,
): Promise<void> {
  const session = { localAddress: addressOf(name) }
  for (let sent = 0; !end.aborted; sent++) {
    await sleep((Math.random() * 120_000) / aMinute)
    await hosts[sent % hosts.length]!.send({ from, to: 'bob@far.example', session })
  }
}

async function type({ hosts: [host] }: Pick<Relay, 'hosts'>, ...args: string[]): Promise<void> {
  const { status, stderr } = await tenantctl(['--config', host!.configDir, ...args])
  if (status !== 0) throw new Error(`tenantctl ${args.join(' ')}: ${stderr}`)
}
