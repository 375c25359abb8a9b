import { setTimeout as sleep } from 'node:timers/promises'
import { tenantctl } from '../../scripts/services/tenantctl'
import { waitFor } from '../../scripts/services/wait-for'
import type { RedisProxy } from '../support/redis-proxy'
import { saveMoment, WAYS_BACK } from '../support/went-back'
import { now } from './clock'
import type { DeskAct } from './history'
import type { Planned } from './schedule'
import { OLD_DOMAINS, settings, SETTINGS_FILE, TENANTS_FILE, type Site } from './site'

/** The reason that a fault is not possible now. */
export class NotNow extends Error {}

/** A kind of fault. */
export interface Fault extends Planned {
  /** Redis is disturbed while it lasts. */
  readonly troublesRedis?: boolean
  /** Performs the fault, and repairs what does not recover by itself. Returns the choice, in words. */
  apply(site: Site, choice: number): Promise<string | void>
}

/** A fault may take longer on a busy machine. */
const PATIENCE = { timeout: 60_000, interval: 50 }

export const FAULTS: Readonly<Record<string, Fault>> = {
  'kill a worker': { lane: 'haraka', weight: 3, atLeast: 3000, apply: killWorker },
  'restart Haraka gracefully': {
    lane: 'haraka',
    weight: 1,
    atLeast: 6000,
    apply: restartGracefully,
  },

  'pause Redis': trouble(2, async ({ redis }, length) => {
    redis.pause()
    await sleep(length)
    redis.resume()
  }),
  'kill Redis': trouble(2, async (site, length) => {
    const at = now()
    await site.redis.kill()
    if (site.durability === 'everysec') site.history.lossy.push({ from: at - 3000, to: now() })
    await sleep(length)
    await site.redis.restart()
  }),
  'Redis goes back to an older copy of its data': {
    ...{ lane: 'redis', weight: 4, atLeast: 4000, troublesRedis: true },
    async apply({ redis, history }, choice) {
      const from = now()
      const goBack = await saveMoment(redis, WAYS_BACK.at(-1)!)
      const length = 500 + choice * 5000
      await sleep(length)
      const killed = now()
      await goBack()
      history.returns.push({ from, killed, to: now() })
      return `${Math.round(length)} ms`
    },
  },
  'cut connections': trouble(1, async ({ way }, length) => {
    way.cut()
    await sleep(length / 10)
    way.cut()
  }),
  'lose answers': onTheWay('hold', 'cut'),
  'answers come late': onTheWay('hold'),
  'lose commands': onTheWay('holdCommands', 'cut'),
  'commands come late': onTheWay('holdCommands'),
  'commands come when all is settled': trouble(1, async ({ way }, length) => {
    way.holdCommands()
    await sleep(length)
    way.strand()
    await sleep(length)
    way.release()
  }),
  'slow answers': trouble(1, async ({ way }, length) => {
    way.delay(20 + length / 20)
    await sleep(length)
    way.delay(0)
  }),
  // It is noticed after ten command timeouts.
  'connections go dead': {
    ...{ lane: 'redis', weight: 0.5, atLeast: 12_000, troublesRedis: true },
    async apply({ way }) {
      way.freeze()
      // The master sends no commands, and does not notice its dead connection.
      await waitFor(() => way.frozen <= 1, PATIENCE)
    },
  },
  'SCRIPT FLUSH': {
    ...{ lane: 'redis', weight: 1, atLeast: 100 },
    async apply({ redis }) {
      await withClient(redis, (client) => client.script('FLUSH'))
    },
  },
  'CLIENT KILL': {
    ...{ lane: 'redis', weight: 1, atLeast: 100, troublesRedis: true },
    async apply({ redis }, choice) {
      return withClient(redis, async (client) => {
        const list = String(await client.call('CLIENT', 'LIST')).split('\n')
        const ours = list.filter((line) => line.includes('name=unregistered-domain'))
        const chosen = choice < 0.5 ? ours : ours.slice(0, 1)
        for (const line of chosen) {
          const id = /\bid=(\d+)/.exec(line)?.[1] ?? ''
          // It may have ended.
          await client.call('CLIENT', 'KILL', 'ID', id).catch(() => {})
        }
        return `${chosen.length} of ${ours.length}`
      })
    },
  },

  'a good ini': {
    ...{ lane: 'operator', weight: 2, atLeast: 5500 },
    async apply(site, choice) {
      const warnAt = `${1 + Math.floor(choice * 98)}`
      await rewriteSettings(site, settings(warnAt), /unregistered-domain\.ini: in effect(?!,)/)
      return `warn_at=${warnAt}`
    },
  },
  'a bad ini': {
    ...{ lane: 'operator', weight: 1, atLeast: 11_000 },
    async apply(site, choice) {
      const bad = { ...settings(), allowance: { limits: 'as you like' }, main: { mode: 'offf' } }
      await rewriteSettings(site, bad, /unregistered-domain\.ini: in effect, except for/)
      // Processes that start meanwhile use the defaults.
      await rewriteSettings(site, settings(`${1 + Math.floor(choice * 98)}`), /ini: in effect(?!,)/)
    },
  },
  'a good tenants file': {
    ...{ lane: 'operator', weight: 2, atLeast: 5500 },
    async apply(site) {
      await rewriteTenants(site, site.tenantsFile(site.filedDomains + 1), /yaml: applied/)
      site.filedDomains++
      return `${site.filedDomains} domains`
    },
  },
  'a bad tenants file': {
    ...{ lane: 'operator', weight: 1, atLeast: 5500 },
    async apply(site, choice) {
      const good = site.tenantsFile(1)
      const versions = {
        'not YAML': `${good}\n  - ][`,
        'a limit that is none': good.replace('/1h', '/eternity'),
        'the domain of another tenant': good.replace('filed.example', 'filed.example, co.uk'),
        'cut off': good.slice(0, good.indexOf('/32')),
      }
      const [what, text] = Object.entries(versions)[Math.floor(choice * 4)]!
      await rewriteTenants(site, text, /yaml: not applied/).catch((error: Error) => {
        throw new Error(`${what}: ${error.message}`, { cause: error })
      })
      return what
    },
  },
  'move the clock': {
    ...{ lane: 'operator', weight: 3, atLeast: 100 },
    apply({ witness }, choice) {
      const hours = [0, 1, -1, 24, -24, 40 * 24, -40 * 24, 3650 * 24][Math.floor(choice * 8)]!
      witness.moveClock(hours * 3_600_000)
      return Promise.resolve(`${hours} h`)
    },
  },

  block: {
    ...{ lane: 'desk', weight: 2, atLeast: 300 },
    apply: (site, choice) => atTheDesk(site, 'block', choice),
  },
  unblock: {
    ...{ lane: 'desk', weight: 4, atLeast: 300 },
    apply: (site, choice) => atTheDesk(site, 'unblock', choice),
  },
  'unblock --keep-usage': {
    ...{ lane: 'desk', weight: 1, atLeast: 300 },
    apply: (site, choice) => atTheDesk(site, 'unblock --keep-usage', choice),
  },
  'remove a domain': {
    ...{ lane: 'desk', weight: 1, atLeast: 300 },
    async apply({ relay, removed }) {
      const domain = OLD_DOMAINS[removed.length]
      if (domain === undefined) throw new NotNow('all are removed')
      const { domains } = relay.registry
      await untilConfirmed(async () => {
        const listed = await domains.list('roomy')
        if (listed.some((each) => each.domain === domain)) await domains.remove('roomy', [domain])
      })
      removed.push({ domain, at: now() })
      return domain
    },
  },
}

function trouble(weight: number, act: (site: Site, length: number) => Promise<void>): Fault {
  return {
    ...{ lane: 'redis', weight, atLeast: 1500, troublesRedis: true },
    async apply(site, choice) {
      const length = 100 + choice * 2400
      await act(site, length)
      return `${Math.round(length)} ms`
    },
  }
}

function onTheWay(hold: 'hold' | 'holdCommands', end?: 'cut'): Fault {
  return trouble(1, async ({ way }: { way: RedisProxy }, length) => {
    way[hold]()
    await sleep(length)
    if (end) way[end]()
    way.release()
  })
}

async function killWorker(site: Site, choice: number): Promise<string> {
  const { history, guarded, witness, haraka } = site
  const candidates = site.workers().filter((pid) => guarded.has(pid))
  const pid = candidates[Math.floor(choice * candidates.length)]
  // After a graceful restart Haraka replaces the workers of that restart, but not their replacements (server.js,
  // _graceful removes the exit listener of the cluster).
  if (pid === undefined) throw new NotNow('Haraka would not replace any of the workers')
  const begun = witness.beginnings().length
  const from = haraka.log.length
  process.kill(pid, 'SIGKILL')
  history.kills.push({ pid, at: now() })
  guarded.delete(pid)
  await waitFor(() => witness.beginnings().length > begun, PATIENCE)
  await haraka.waitForLog(/worker \d+ listening/, { from, timeout: PATIENCE.timeout })
  if (history.graceful.length === 0) guarded.add(witness.beginnings().at(-1)!.pid)
  return `pid ${pid}`
}

async function restartGracefully(site: Site): Promise<string> {
  const { haraka, witness, retired, guarded, history } = site
  const before = site.workers()
  const from = now()
  await haraka.restartGracefully()
  for (const pid of before) retired.add(pid)
  guarded.clear()
  await waitFor(() => site.workers().length === before.length, PATIENCE)
  for (const pid of site.workers()) guarded.add(pid)
  history.graceful.push({ from, to: now() })
  return `${before.join(', ')} → ${witness.beginnings().at(-1)?.pid}`
}

type TestRedisClient = ReturnType<Site['redis']['client']>

async function withClient<T>(
  redis: Site['redis'],
  work: (client: TestRedisClient) => Promise<T>,
): Promise<T> {
  const client = redis.client()
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

async function rewriteSettings(
  { haraka }: Site,
  to: Parameters<Site['haraka']['writeSettings']>[0],
  line: RegExp,
): Promise<void> {
  const from = haraka.log.length
  haraka.writeSettings(to)
  await logged(haraka, line, from, SETTINGS_FILE)
}

async function rewriteTenants({ haraka }: Site, text: string, line: RegExp): Promise<void> {
  const from = haraka.log.length
  haraka.writeConfig(TENANTS_FILE, text)
  await logged(haraka, line, from, TENANTS_FILE)
}

async function logged(haraka: Site['haraka'], line: RegExp, from: number, what: string) {
  await waitFor(() => line.test(haraka.log.slice(from)), {
    ...PATIENCE,
    interval: 200,
    what: `${what}: ${String(line)}`,
  })
}

/** Restricts a tenant or lifts the restriction, until it is confirmed. */
async function atTheDesk(site: Site, act: DeskAct['act'], choice: number): Promise<string> {
  const { history, relay, redis } = site
  const tenants = Object.keys(history.allowances)
  const tenant = tenants[Math.floor(choice * tenants.length)]!
  const [command = '', ...options] = act.split(' ')
  const from = now()
  // Every third time by the program. Where that fails while Redis is away, by the function it calls.
  const byProgram = Math.floor(choice * 300) % 3 === 0
  const args = ['--redis', redis.url, command, tenant, '--reason', 'chaos', ...options]
  const done = byProgram && (await tenantctl(args)).status === 0
  if (!done) {
    const who = { by: 'chaos', reason: 'chaos' }
    await untilConfirmed(() =>
      act === 'block'
        ? relay.restrictions.place(tenant, { ...who, scope: 'unregistered' })
        : relay.restrictions.lift(tenant, { ...who, keepUsage: options.length > 0 }),
    )
  }
  history.acts.push({ act, tenant, from, to: now() })
  return `${tenant}${done ? ' by tenantctl' : ''}`
}

/** Doing it again changes nothing, so a lost answer does not matter. */
async function untilConfirmed(work: () => Promise<unknown>): Promise<void> {
  await waitFor(() => work().then(() => true), PATIENCE)
}
