import { setTimeout as sleep } from 'node:timers/promises'
import { startRedis } from '../scripts/services/redis'
import { Registries } from '../test/support/registries'
import { startLeanHaraka } from './lean-haraka'
import { ROOMY } from './ledger-load'
import { messageFrom } from './mail-load'
import { atMost, type Row, type Section } from './row'
import { seedAddresses, seedConnectors, seedDomains } from './seed'
import { runSession } from './smtp-session'
import { quantile } from './stats'
import { openStore } from './store'

const TENANT = 'contoso'
const BY = 'bench'
const SESSIONS = 10
/** Between two messages of a session, in ms: a server that is busy, but not all the time. */
const PAUSE = 20
/** Between two additions, in ms. */
const EVERY = 20
/** By how much the slowest of a hundred answers may be slower while domains are added, in ms. */
const SLOWER = 10
const MOST_FAILURES = 0

/** What is added, by its name. */
const ADDITIONS: Readonly<
  Record<string, (registry: Registries, number: number) => Promise<unknown>>
> = {
  domains: (registry, number) =>
    registry.domains.add(
      TENANT,
      [{ domain: `added-${number}.com`, subdomains: false, shared: false }],
      BY,
    ),
  connectors: (registry, number) => {
    const ip = [`192.168.${number >> 8}.${number & 255}/32`]
    const identities = { ip, cert: [], certSha256: [], auth: [] }
    return registry.connectors.add(TENANT, `added-${number}`, identities, BY)
  },
}

/** What happened to the mail in one stretch of time. */
interface Flow {
  readonly what: string
  /** ms of each answer to RCPT. */
  readonly answers: readonly number[]
  readonly failures: readonly string[]
}

/** Whether mail waits while what its tenant is known by changes all the time. */
export const growth: Section = {
  name: 'growth',
  title: 'Adding domains and connectors while mail flows',
  meaning:
    `A Haraka with mail of one tenant, half of it registered, in ${SESSIONS} sessions with ${PAUSE} ms between two messages; first ` +
    `alone, then while the registry adds one accepted domain to it every ${EVERY} ms, then one connector. Timed is the ` +
    'answer to RCPT. Whatever is not accepted is a failure.',
  async run({ domains: counts, connectors, growth: { seconds } }, progress) {
    const domains = Math.max(...counts)
    const redis = await startRedis()
    const store = await openStore(redis.port)
    try {
      progress.say('filling Redis')
      await seedDomains(store, TENANT, domains, { limits: ROOMY })
      await seedConnectors(store, TENANT, connectors)
      const [ip = ''] = await seedAddresses(store, 1, () => TENANT)
      const haraka = await startLeanHaraka({ redis, plugins: ['unregistered-domain'] })
      try {
        const flow = (ms: number) => mailFor(ms, haraka.port, ip)
        progress.say('warming up')
        await flow(1_000)
        progress.say('mail alone')
        const quiet = await flow(seconds * 1_000)
        const registry = new Registries(store)
        const flows: Flow[] = [{ ...quiet, what: 'mail alone' }]
        for (const [what, add] of Object.entries(ADDITIONS)) {
          progress.say(`mail, while ${what} are added`)
          const adding = addFor(seconds * 1_000, (number) => add(registry, number))
          const busy = await flow(seconds * 1_000)
          flows.push({ ...busy, what: `${await adding} ${what} added meanwhile` })
        }
        const size = `${domains.toLocaleString('en-US')} domains, ${connectors.toLocaleString('en-US')} connectors`
        return { rows: rowsOf(size, flows) }
      } finally {
        await haraka.stop()
      }
    } finally {
      store.client.disconnect()
      await redis.stop()
    }
  },
}

/** Mail for so many milliseconds; a session that fails is replaced. */
async function mailFor(ms: number, port: number, ip: string): Promise<Omit<Flow, 'what'>> {
  const until = performance.now() + ms
  const scripts = [messageFrom('a@customer-0.com'), messageFrom('a@elsewhere.example')]
  const answers: number[] = []
  const failures: string[] = []
  let number = 0
  const next = async () => {
    await sleep(PAUSE)
    return performance.now() < until ? scripts[number++ % scripts.length] : undefined
  }
  const keepSending = async (): Promise<void> => {
    while (performance.now() < until) {
      const onDecision = (time: number) => answers.push(time)
      await runSession({ port, ip, next, onDecision }).catch((error: unknown) => {
        failures.push(String(error))
        return sleep(PAUSE)
      })
    }
  }
  await Promise.all(Array.from({ length: SESSIONS }, keepSending))
  return { answers, failures }
}

/** Adds one every 20 ms; one that takes longer delays the next. Returns how many there were. */
async function addFor(ms: number, add: (number: number) => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  let added = 0
  for (let at = 0; at < ms; at = Math.max(at + EVERY, performance.now() - begin)) {
    await sleep(begin + at - performance.now())
    await add(added++)
  }
  return added
}

function rowsOf(size: string, flows: readonly Flow[]): Row[] {
  const [quiet] = flows
  const target = quiet && Number((quantile(quiet.answers, 0.99) + SLOWER).toFixed(1))
  const failures = flows.flatMap((flow) => flow.failures)
  const messages = flows.reduce((sum, { answers }) => sum + answers.length, 0)
  const why = failures.length > 0 ? `; ${failures[0]}` : ''
  return [
    ...flows.map((flow) => answerRow(flow, size, flow === quiet ? undefined : target)),
    {
      what: 'mail that was not accepted',
      figure: failures.length.toString(),
      detail: `of ${messages.toLocaleString('en-US')} messages${why}`,
      target: atMost(MOST_FAILURES, failures.length),
      numbers: { failures: failures.length },
    },
  ]
}

function answerRow({ what, answers }: Flow, size: string, target?: number): Row {
  const [p50, p99] = [quantile(answers, 0.5), quantile(answers, 0.99)]
  const worst = Math.max(...answers)
  const count = answers.length.toLocaleString('en-US')
  return {
    what: `answer to RCPT, ${what}, p99`,
    figure: `${p99.toFixed(1)} ms`,
    detail: `p50 ${p50.toFixed(2)} ms, worst of ${count} ${worst.toFixed(1)} ms; ${size}`,
    ...(target !== undefined && { target: atMost(target, p99, ' ms') }),
    numbers: { p50Ms: p50, p99Ms: p99, worstMs: worst },
  }
}
