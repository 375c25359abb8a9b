import { setTimeout as sleep } from 'node:timers/promises'
import { Directory } from '../src/directory/directory'
import type { Store } from '../src/store/store'
import { Registries } from '../test/support/registries'
import { ROOMY } from './charge'
import { messageFrom } from './mail-load'
import { atMost, timesRow, whole, type Row, type Section } from './row'
import { identities, seedAddresses, seedConnectors, seedTenant } from './seed'
import { startServers } from './servers'
import { runSession } from './smtp-session'
import { median, Times } from './stats'

const TENANT = 'contoso'
const BY = 'bench'
const SESSIONS = 10
/** ms between two messages of a session, and between two additions. */
const PAUSE = 20
/** How much longer the slowest of a hundred answers may take while something is added, in ms. */
const SLOWER = 10

const FULL = { count: 100_000, loads: 5, seconds: 5 }
const QUICK = { count: 10_000, loads: 2, seconds: 2 }

/** Whether large lists delay a process, Redis or mail. */
export const growth: Section = {
  name: 'growth',
  title: 'Loading large lists, and adding to them while mail flows',
  meaning:
    'A tenant with many accepted domains, and a relay with as many connectors. Loading: this process reads them as a ' +
    'worker of Haraka does, in the background, while its event loop turns without a pause. The stall is its longest ' +
    'turn: the longest a session waits. The longest command of Redis (SLOWLOG) is the longest anyone else waits. ' +
    'Medians. Adding: mail of the tenant, half of it registered, in ' +
    `${SESSIONS} sessions with ${PAUSE} ms between two messages; first alone, then while the registry adds one ` +
    `accepted domain every ${PAUSE} ms, then one connector. Timed is the answer to RCPT; the section fails if a message ` +
    'is not accepted.',
  async run({ quick, say }) {
    const { count, loads, seconds } = quick ? QUICK : FULL
    say('filling Redis')
    let ip = ''
    const fill = async (store: Store): Promise<void> => {
      const domains = Array.from({ length: count }, (_, number) => `customer-${number}.com`)
      await seedTenant(store, TENANT, domains, { limits: ROOMY })
      await seedConnectors(store, TENANT, count)
      ;[ip = ''] = await seedAddresses(store, 1, () => TENANT)
    }
    const { harakas, store, stop } = await startServers(fill, (redis) => ({
      ours: { redis, plugins: ['unregistered-domain'] },
    }))
    try {
      const rows: Row[] = []
      for (const list of ['domains', 'connectors'] as const) {
        say(`loading ${list}`)
        rows.push(...(await loadRows(store, list, count, loads)))
      }
      const mail = (ms: number): Promise<Times> => mailFor(ms, harakas.ours.port, ip)
      await mail(1_000)
      say('mail alone')
      const quiet = await mail(seconds * 1_000)
      rows.push(timesRow('answer to RCPT, nothing added', quiet))
      const most = Number((quiet.quantile(0.99) + SLOWER).toFixed(1))
      const registry = new Registries(store)
      for (const [what, add] of Object.entries(ADDITIONS)) {
        say(`mail while ${what} are added`)
        const adding = addFor(seconds * 1_000, (number) => add(registry, number))
        const answers = await mail(seconds * 1_000)
        rows.push(timesRow(`answer to RCPT, ${await adding} ${what} added`, answers, most))
      }
      return { rows }
    } finally {
      await stop()
    }
  },
}

/** Loads a list several times, each time like a new process. */
async function loadRows(
  store: Store,
  list: 'domains' | 'connectors',
  count: number,
  loads: number,
): Promise<Row[]> {
  const { client } = store
  const found = { time: [] as number[], stall: [] as number[], redis: [] as number[] }
  await client.call('CONFIG', 'SET', 'slowlog-log-slower-than', '100', 'slowlog-max-len', '10000')
  while (found.time.length < loads) {
    await client.call('SLOWLOG', 'RESET')
    const directory = new Directory(store, { onReady() {}, onRestriction() {}, onError() {} })
    const longestTurn = watchTurns()
    const begin = performance.now()
    if (list === 'connectors') await directory.loadConnectors()
    else await directory.load(TENANT)
    found.time.push(performance.now() - begin)
    found.stall.push(longestTurn())
    const slow = (await client.call('SLOWLOG', 'GET', '-1')) as [number, number, number][]
    found.redis.push(Math.max(0, ...slow.map(([, , us]) => us)) / 1_000)
  }
  const row = (of: string, all: readonly number[], most: number): Row => ({
    what: `loading ${whole(count)} ${list}: ${of}`,
    figure: `${median(all).toFixed(1)} ms`,
    detail: `highest of ${all.length} ${Math.max(...all).toFixed(1)} ms`,
    target: atMost(most, median(all), ' ms'),
    numbers: { ms: all },
  })
  return [
    row('time', found.time, 2_000),
    row('longest stall', found.stall, 10),
    row('longest command of Redis', found.redis, 10),
  ]
}

/** Turns the event loop without a pause. Call the result to stop: it returns the longest turn in ms. */
function watchTurns(): () => number {
  let longest = 0
  let last = performance.now()
  const turn = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    immediate = setImmediate(turn)
  }
  let immediate = setImmediate(turn)
  return () => {
    clearImmediate(immediate)
    return longest
  }
}

type Add = (registry: Registries, number: number) => Promise<unknown>

const ADDITIONS: Readonly<Record<'domains' | 'connectors', Add>> = {
  domains: ({ domains }, number) => {
    const domain = { domain: `added-${number}.com`, subdomains: false, shared: false }
    return domains.add(TENANT, [domain], BY)
  },
  connectors: ({ connectors }, number) => {
    const ip = `192.168.${number >> 8}.${number & 255}`
    return connectors.add(TENANT, `added-${number}`, identities(ip), BY)
  },
}

/**
 * Sends mail for this many ms. Returns the times of the answers to RCPT.
 *
 * @throws Error where a message is not accepted
 */
async function mailFor(ms: number, port: number, ip: string): Promise<Times> {
  const until = performance.now() + ms
  const scripts = [messageFrom('a@customer-0.com'), messageFrom('a@elsewhere.example')]
  const answers = new Times()
  let number = 0
  const next = async () => {
    await sleep(PAUSE)
    return performance.now() < until ? scripts[number++ % scripts.length] : undefined
  }
  const onDecision = (time: number): void => answers.add(time)
  const session = () => runSession({ port, ip, next, onDecision })
  await Promise.all(Array.from({ length: SESSIONS }, session))
  return answers
}

/** Adds one after the other for this many ms. Returns how many. */
async function addFor(ms: number, add: (number: number) => Promise<unknown>): Promise<number> {
  const until = performance.now() + ms
  let added = 0
  while (performance.now() < until) await Promise.all([add(added++), sleep(PAUSE)])
  return added
}
