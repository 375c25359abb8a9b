import { setTimeout as sleep } from 'node:timers/promises'
import { startRedis } from '../scripts/services/redis'
import { Registry } from '../src/tenants/registry'
import { startLeanHaraka } from './lean-haraka'
import { ROOMY } from './ledger-load'
import { messageFrom } from './mail-load'
import { atMost, type Row, type Section } from './row'
import { seedAddresses, seedDomains } from './seed'
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

/** What happened to the mail in one stretch of time. */
interface Flow {
  /** ms of each answer to RCPT. */
  readonly answers: readonly number[]
  readonly failures: readonly string[]
}

/** Whether mail waits while the list of its tenant changes all the time. */
export const growth: Section = {
  name: 'growth',
  title: 'Adding domains to a large tenant while its mail flows',
  meaning:
    `A Haraka with mail of one tenant, half of it registered, in ${SESSIONS} sessions with ${PAUSE} ms between two messages; first ` +
    `alone, then while the registry adds one accepted domain every ${EVERY} ms. Timed is the answer to RCPT. Whatever is ` +
    'not accepted is a failure.',
  async run({ domains: counts, growth: { seconds } }, progress) {
    const count = Math.max(...counts)
    const redis = await startRedis()
    const store = await openStore(redis.port)
    try {
      progress.say('filling Redis')
      await seedDomains(store, TENANT, count, { limits: ROOMY })
      const [ip = ''] = await seedAddresses(store, 1, () => TENANT)
      const haraka = await startLeanHaraka({ redis, plugins: ['unregistered-domain'] })
      try {
        const flow = (ms: number) => mailFor(ms, haraka.port, ip)
        progress.say('warming up')
        await flow(1_000)
        progress.say('mail alone')
        const quiet = await flow(seconds * 1_000)
        progress.say('mail, while domains are added')
        const adding = addFor(seconds * 1_000, new Registry(store))
        const busy = await flow(seconds * 1_000)
        return { rows: rowsOf(count, quiet, busy, await adding) }
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
async function mailFor(ms: number, port: number, ip: string): Promise<Flow> {
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

/** Adds a domain every 20 ms; one that takes longer delays the next. Returns how many there were. */
async function addFor(ms: number, registry: Registry): Promise<number> {
  const begin = performance.now()
  let added = 0
  for (let at = 0; at < ms; at = Math.max(at + EVERY, performance.now() - begin)) {
    await sleep(begin + at - performance.now())
    const domain = `added-${added++}.com`
    await registry.addDomains(TENANT, [{ domain, subdomains: false, shared: false }], BY)
  }
  return added
}

function rowsOf(count: number, quiet: Flow, busy: Flow, added: number): Row[] {
  const failures = [...quiet.failures, ...busy.failures]
  const before = quantile(quiet.answers, 0.99)
  const tenant = `${count.toLocaleString('en-US')} domains`
  return [
    answerRow(`${tenant}, mail alone`, quiet),
    answerRow(`${tenant}, ${added} more added meanwhile`, busy, before + SLOWER),
    {
      what: 'mail that was not accepted',
      figure: failures.length.toString(),
      detail: `of ${(quiet.answers.length + busy.answers.length).toLocaleString('en-US')} messages${failures.length > 0 ? `; ${failures[0]}` : ''}`,
      target: atMost(MOST_FAILURES, failures.length),
      numbers: { failures: failures.length },
    },
  ]
}

function answerRow(what: string, { answers }: Flow, target?: number): Row {
  const p99 = quantile(answers, 0.99)
  const worst = Math.max(...answers)
  const aim = target === undefined ? undefined : Number(target.toFixed(1))
  return {
    what: `${what}: answer to RCPT, p99`,
    figure: `${p99.toFixed(1)} ms`,
    detail: `p50 ${quantile(answers, 0.5).toFixed(2)} ms, worst of ${answers.length.toLocaleString('en-US')} ${worst.toFixed(1)} ms`,
    ...(aim !== undefined && { target: atMost(aim, p99, ' ms') }),
    numbers: { p50Ms: quantile(answers, 0.5), p99Ms: p99, worstMs: worst },
  }
}
