import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Redis } from 'ioredis'
import { findInconsistencies, repair } from '../../src/registry/consistency/consistency'
import { removeTenant } from '../../src/registry/tenant-removal'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { waitFor } from '../../scripts/services/wait-for'
import { MovableClock, noMovableClock } from '../support/movable-clock'
import { startRedis, type TestRedis } from '../support/redis'
import { Registries } from '../support/registries'
import { assertConsistent } from '../support/registry'

const INSTANTS = 20
const MANY = 10_000
const NAMES = Array.from({ length: MANY }, (_, at) => `d${at}.example${at % 50}.com`)
/** Names that another tenant tries. */
const SOME = NAMES.filter((_, at) => at % 100 === 0)
/** In seconds: longer than a lease. */
const MINUTE = 61
const PROGRAM = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')

interface Ended {
  readonly status: number | null
  readonly err: string
}

interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

/** A Redis whose clock can be moved, with the tenants contoso and fabrikam. */
class Place {
  readonly #clock: MovableClock
  readonly #t: TestContext
  readonly registry: Registries
  #passed = 0

  private constructor(
    t: TestContext,
    clock: MovableClock,
    readonly redis: TestRedis,
    readonly client: Redis,
    readonly store: Store,
  ) {
    this.#t = t
    this.#clock = clock
    this.registry = new Registries(store)
  }

  static async start(t: TestContext): Promise<Place> {
    const clock = new MovableClock()
    const redis = await startRedis({ env: clock.env, args: ['--appendonly', 'yes'] })
    t.after(() => redis.stop())
    const client = redis.client()
    return new Place(t, clock, redis, client, new Store(client, new Keys('ud:')))
  }

  /** Everything anew. */
  async empty(): Promise<void> {
    await this.client.flushall()
    for (const id of ['contoso', 'fabrikam']) await this.registry.tenants.add(id, {}, 'root')
  }

  /** Lets every lease end. */
  letPass(): void {
    this.#clock.set((this.#passed += MINUTE))
  }

  /** Begins to add all names to contoso. */
  begin(): Run {
    const args = ['--redis', this.redis.url, 'domain', 'add', 'contoso', '-']
    const child = spawn(process.execPath, [PROGRAM, ...args])
    this.#t.after(() => child.kill('SIGKILL'))
    let err = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
    child.stdout.resume()
    child.stdin.on('error', () => {})
    child.stdin.end(NAMES.join('\n'))
    const ended = new Promise<Ended>((resolve) =>
      child.on('close', (status) => resolve({ status, err })),
    )
    return { child, ended }
  }

  /** How much of an addition is written, of {@link MANY} claims and as many entries. */
  async written(): Promise<number> {
    const { keys } = this.store
    const [claims, entries] = await Promise.all([
      this.client.hlen(keys.ownerNames),
      this.client.hlen(keys.domains('contoso')),
    ])
    return claims + entries
  }

  async domainsOf(tenant: string): Promise<Set<string>> {
    return new Set(await this.client.hkeys(this.store.keys.domains(tenant)))
  }

  /** Registers what can be of {@link SOME} for fabrikam. */
  async takeOver(): Promise<Set<string>> {
    for (const domain of SOME) {
      const entry = { domain, subdomains: false, shared: false }
      await this.registry.domains.add('fabrikam', [entry], 'root').catch(() => {})
    }
    return this.domainsOf('fabrikam')
  }

  /** The same command again, which completes it. */
  async addAgain(): Promise<void> {
    const { status, err } = await this.begin().ended
    assert.equal(status, 0, err)
    assert.equal((await this.domainsOf('contoso')).size, MANY)
    await assertConsistent(this.store)
  }
}

/** Calls `each` at random instants of an addition: when so much of it is written. */
async function atInstants(
  t: TestContext,
  each: (place: Place, run: Run, number: number) => Promise<void>,
): Promise<void> {
  const place = await Place.start(t)
  for (let number = 0; number < INSTANTS; number++) {
    await place.empty()
    const written = 1 + Math.floor(Math.random() * 2 * MANY)
    const run = place.begin()
    let isOver = false
    void run.ended.then(() => (isOver = true))
    await waitFor(async () => isOver || (await place.written()) >= written)
    try {
      await each(place, run, number)
    } catch (error) {
      throw new Error(`instant ${number}, with ${written} names claimed or entered`, {
        cause: error,
      })
    }
  }
}

describe('a domain add of 10,000 names', { skip: noMovableClock }, () => {
  it('that gets SIGINT or SIGTERM at any instant has registered all or none, and says so', async (t) => {
    await atInstants(t, async (place, { child, ended }, number) => {
      child.kill(number % 2 === 0 ? 'SIGINT' : 'SIGTERM')
      const { status, err } = await ended
      const domains = await place.domainsOf('contoso')
      const { keys } = place.store
      // It may have ended its work right before, and not said so yet.
      const isComplete = status === 0 || child.signalCode !== null
      if (isComplete) assert.equal(domains.size, MANY)
      else {
        assert.equal(status, 130, err)
        assert.match(err, /stopped, and no domain of contoso was changed: run the same command/)
        assert.equal(domains.size, 0)
        assert.equal(await place.client.hlen(keys.ownerNames), 0)
      }
      assert.equal(await place.client.exists(keys.ownerPending), 0)
      assert.equal((await place.takeOver()).size, isComplete ? 0 : SOME.length)
    })
  })

  it('that is killed at any instant hinders others for a minute at most, and is completed or cleared up', async (t) => {
    await atInstants(t, async (place, { child, ended }, number) => {
      child.kill('SIGKILL')
      await ended
      const { keys } = place.store
      const had = await place.domainsOf('contoso')
      if (number % 4 === 0) {
        place.letPass()
        const free = SOME.filter((domain) => !had.has(domain))
        assert.deepEqual([...(await place.takeOver())].sort(), free.sort())
      } else if (number % 4 === 1) {
        await place.addAgain()
      } else if (number % 4 === 2) {
        place.letPass()
        await repair(place.store, await findInconsistencies(place.store))
        assert.equal(await place.client.hlen(keys.ownerNames), had.size)
        await assertConsistent(place.store)
      } else {
        await removeTenant(place.store, 'contoso')
        assert.equal(await place.client.hlen(keys.ownerNames), 0)
        assert.equal((await place.takeOver()).size, SOME.length)
      }
    })
  })

  it('whose Redis dies at any instant and comes back fails, and is completed by the same command', async (t) => {
    await atInstants(t, async (place, { ended }) => {
      await place.redis.kill()
      const { status, err } = await ended
      // Else it has ended before.
      if (status !== 0) {
        assert.equal(status, 1, err)
        assert.match(err, /^tenantctl: Redis at .* then try again$/m)
      }
      await place.redis.restart()
      await waitFor(() => place.client.status === 'ready')
      await place.addAgain()
    })
  })
})
