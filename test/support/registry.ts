import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import type { Redis } from 'ioredis'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { findInconsistencies } from '../../src/registry/consistency/consistency'
import { Registries } from './registries'
import { startRedis, type TestRedis } from './redis'

let redis: TestRedis
let sites = 0

/** One redis-server for all tests of a file. */
export function useRedis(): void {
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
}

/** That redis-server. */
export function theRedis(): TestRedis {
  return redis
}

/** Keys under a unique prefix, with connections to them. */
export interface Site {
  readonly store: Store
  readonly registry: Registries
  /** Another connection to the same keys. */
  connect(): Store
  /** A connection that breaks permanently after some commands, as if the process were killed. */
  connectUntil(commands: number): Store
  /** A connection that calls something once, right before it runs a script. */
  connectBefore(script: string, interlude: () => Promise<unknown>): Store
  /** Messages on the channel of changes, from now on. Resolves when it listens. */
  changes(): Promise<Changes>
}

export interface Changes {
  /** All messages published so far, in order. */
  read(): Promise<Record<string, unknown>[]>
}

/**
 * Keys under a prefix that no other test uses.
 *
 * @param client the first connection; by default a new one.
 */
export function newSite(
  replacements: Record<string, string> = {},
  StoreClass = Store,
  client = redis.client(),
): Site {
  const keys = new Keys(`t${++sites}:`)
  const connect = (): Store => new StoreClass(redis.client(), keys, replacements)
  const store = new StoreClass(client, keys, replacements)
  return {
    store,
    registry: new Registries(store),
    connect,
    connectUntil: (commands) => new Store(breakAfter(redis.client(), commands), keys, replacements),
    connectBefore: (script, interlude) => new InterruptedStore(connect(), script, interlude),
    changes: () => listen(redis.client(), store),
  }
}

/** The same site in the hands of a person. @param actor see `src/records/actor.ts`. */
export function signedBy(actor: string, site: Site): Site {
  const store = site.store.as(actor)
  return { ...site, store, registry: new Registries(store) }
}

/** Lets another operation run at one point in between. */
class InterruptedStore extends Store {
  private interlude: (() => Promise<unknown>) | undefined

  constructor(
    store: Store,
    private readonly before: string,
    interlude: () => Promise<unknown>,
  ) {
    super(store.client, store.keys)
    this.interlude = interlude
  }

  override async run(...[script, keys, args]: Parameters<Store['run']>): Promise<unknown> {
    if (script.name === this.before && this.interlude) {
      const { interlude } = this
      this.interlude = undefined
      await interlude()
    }
    return super.run(script, keys, args)
  }
}

/** Asserts that Redis has no inconsistencies. */
export async function assertConsistent(store: Store): Promise<void> {
  assert.deepEqual(
    (await findInconsistencies(store)).map(({ text }) => text),
    [],
  )
}

/** Waits for a promise to reject, and returns its error. */
export async function errorOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    assert.ok(error instanceof Error)
    return error
  }
  assert.fail('was expected to be refused')
}

async function listen(subscriber: Redis, store: Store): Promise<Changes> {
  const messages: string[] = []
  const { changes } = store.keys
  subscriber.on('message', (_channel, message) => messages.push(message))
  await subscriber.subscribe(changes)
  return {
    async read() {
      // Earlier messages arrive before this mark.
      const mark = `mark ${Math.random()}`
      const arrived = new Promise<void>((resolve) => {
        const onMessage = (_channel: string, message: string): void => {
          if (message !== mark) return
          subscriber.off('message', onMessage)
          resolve()
        }
        subscriber.on('message', onMessage)
      })
      await store.client.publish(changes, mark)
      await arrived
      return messages
        .filter((message) => !message.startsWith('mark '))
        .map((message) => JSON.parse(message) as Record<string, unknown>)
    },
  }
}

function breakAfter(client: Redis, commands: number): Redis {
  let left = commands
  return new Proxy(client, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (left-- <= 0) return Promise.reject(new Error('the process was killed here'))
        return (value as (...args: unknown[]) => unknown).apply(target, args)
      }
    },
  })
}

let latest = 0

/** A token of a change that nobody announces: later than those before. */
export function laterToken(): string {
  latest = Math.max(latest + 1, Date.now() * 1000)
  return `${latest}-test`
}
