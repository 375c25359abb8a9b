import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  startHaraka,
  type StartHarakaOptions,
  type TestHaraka,
} from '../../scripts/services/haraka'
import {
  startRedisSentinel,
  type StartRedisSentinelOptions,
  type TestRedisSentinel,
} from '../../scripts/services/redis-sentinel'
import { tenantctl } from '../../scripts/services/tenantctl'
import { waitFor } from '../../scripts/services/wait-for'
import { Keys } from '../../src/store/keys'
import { TestRelay, type TestTenant } from './relay'
import { REPLY } from './replies'

/** A sender domain that belongs to no tenant. */
export const UNREGISTERED = 'someone@elsewhere.example'
export const RECIPIENT = 'rcpt@far.example'

const SESSIONS = 4
/** A failover takes seconds, and longer on a busy machine. */
const PATIENCE = 60_000
/** The pause of a refused client before its next attempt, in ms. */
const PAUSE = 20

type Code = 250 | 451 | 550

/** The effect of an outage on a stream of mail. */
export interface Outage {
  /** Unregistered mail that got 451. */
  readonly tempfailed: number
  /** From the beginning until unregistered mail sent after a 451 was accepted, in ms. */
  readonly duration: number
  /** The longest that a message took, in ms. */
  readonly longest: number
}

/**
 * A tenant's mail from its own domain and from an unregistered one in turn, in several sessions, until stop(). Its
 * own mail must be delivered; the other must be delivered or get one of two replies byte for byte.
 */
export class MailStream {
  /** The replies to unregistered mail, and the monotonic times before and after it was sent. */
  readonly #answers: { readonly from: number; readonly to: number; readonly code: Code }[] = []
  /** Messages of the tenant's own domain that were delivered. */
  registered = 0
  /** The pause of each session after an accepted message, in ms. */
  pace = 0
  #running = true
  readonly #sessions: Promise<unknown>

  constructor(private readonly tenant: TestTenant) {
    this.#sessions = Promise.all(Array.from({ length: SESSIONS }, () => this.#send()))
    // stop() and until() report it.
    this.#sessions.catch(() => {})
  }

  /** How often unregistered mail sent since then got this reply. */
  count(code: Code, since = 0): number {
    return this.#answers.filter((answer) => answer.code === code && answer.from >= since).length
  }

  /** Waits for something while the mail goes on. @throws when some mail got a wrong answer */
  async until(what: string, condition: () => boolean): Promise<void> {
    const ended = this.#sessions.then(() => assert.fail('the stream has ended'))
    await Promise.race([waitFor(condition, { timeout: PATIENCE, what }), ended])
  }

  /** Waits until unregistered mail is accepted again after a 451. */
  async untilServed(since: number): Promise<Outage> {
    await this.until('unregistered mail is accepted again', () => this.#end(since) !== undefined)
    return {
      tempfailed: this.count(451, since),
      duration: Math.round(this.#end(since)! - since),
      longest: Math.round(Math.max(...this.#answers.map(({ from, to }) => to - from))),
    }
  }

  /** Ends all sessions with QUIT. @throws when some mail got a wrong answer, or none */
  async stop(): Promise<void> {
    this.#running = false
    await this.#sessions
  }

  #end(since: number): number | undefined {
    const refused = this.#answers.find(({ from, code }) => from >= since && code === 451)
    return refused && this.#answers.find(({ from, code }) => from > refused.to && code === 250)?.to
  }

  async #send(): Promise<void> {
    const client = await this.tenant.connect()
    while (this.#running) {
      const own = await client.send({ from: `a@${this.tenant.domain}`, to: RECIPIENT })
      assert.ok(own.delivered, `registered mail got ${String(own.last)}`)
      this.registered++
      const from = performance.now()
      const { delivered, last } = await client.send({ from: UNREGISTERED, to: RECIPIENT })
      if (!delivered) assert.ok([REPLY.undecidable, REPLY.blocked].includes(last.raw as never))
      this.#answers.push({ from, to: performance.now(), code: last.code as Code })
      await sleep(delivered ? this.pace : PAUSE)
    }
    await client.quit()
  }
}

/** Starts Redis with Sentinel and a Haraka on it, for one test. */
export async function sentinelRelayFor(
  t: TestContext,
  options: StartRedisSentinelOptions & Pick<StartHarakaOptions, 'nodes'> = {},
): Promise<TestRelay<TestRedisSentinel>> {
  const { nodes = 0, ...redisOptions } = options
  const redis = await startRedisSentinel(redisOptions)
  t.after(() => redis.stop())
  const haraka = await startHaraka({ nodes, settings: { redis: redis.settings } })
  t.after(() => haraka.stop())
  return new TestRelay(redis, [haraka])
}

/** Runs tenantctl with the configuration of a host. @throws AssertionError when it fails */
export async function ctl({ configDir }: TestHaraka, ...args: string[]): Promise<string> {
  const run = await tenantctl(['--config', configDir, ...args])
  assert.equal(run.status, 0, run.stderr)
  return run.stdout
}

/** A tenant's unregistered mail that was delivered, one recipient each. */
export interface Account {
  readonly delivered: number
  /** How many of these the present primary does not have: it was promoted without them. */
  readonly lost: number
}

/**
 * Counts what a failover lost, mail by mail: for each delivered mail the plugin's log has the answer of the former
 * primary, and the present primary has a receipt or not.
 *
 * @throws AssertionError when delivered mail was not counted by any primary (a silent pass), or the usage shown
 * differs from the delivered mail that was not lost.
 */
export async function accountOf(tenant: TestTenant): Promise<Account> {
  const { hosts, store } = tenant.relay
  const delivered = hosts
    .flatMap(({ sink }) => sink.messages())
    .filter(({ note, mailFrom }) => {
      return mailFrom === UNREGISTERED && (note as { tenant?: string })?.tenant === tenant.id
    })
  const counted = () => {
    const lines = hosts.flatMap(({ log }) => [...log.matchAll(/ charged .*transaction=(\S+)/g)])
    const transactions = new Set(lines.map(([, transaction]) => transaction))
    return delivered.every(({ uuid }) => transactions.has(uuid))
  }
  await waitFor(counted, { what: 'all that was delivered has been counted somewhere' })

  const keys = new Keys('ud:')
  const receipts = delivered.map(({ uuid }) => store.client.hvals(keys.receipt(tenant.id, uuid)))
  const known = (await Promise.all(receipts)).filter((values) =>
    values.some((value) => value.startsWith('CHARGED')),
  )
  const lost = delivered.length - known.length
  // Charges without an answer have been refunded by then.
  await waitFor(async () => (await tenant.used()) === known.length, {
    timeout: PATIENCE,
    interval: 50,
    what: `${known.length} of ${delivered.length} are shown as used`,
  })
  return { delivered: delivered.length, lost }
}
