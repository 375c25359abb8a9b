import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { UserError } from '../../src/base/errors'
import { InterruptedError } from '../../src/base/work'
import { findObstacles } from '../../src/registry/claims'
import { findInconsistencies, repair } from '../../src/registry/consistency/consistency'
import type { DomainEntry } from '../../src/registry/domain-entries'
import { ownerOf } from '../../src/registry/owners'
import { Store } from '../../src/store/store'
import { removeTenant } from '../../src/registry/tenant-removal'
import { TestClock } from '../support/clock'
import { Registries } from '../support/registries'
import { assertConsistent, errorOf, newSite, useRedis, type Site } from '../support/registry'

useRedis()

const LEASE = 60_000
const plain = (domain: string): DomainEntry => ({ domain, subdomains: false, shared: false })
const wide = (domain: string): DomainEntry => ({ domain, subdomains: true, shared: false })
const names = (number: number, below = 'example'): string[] =>
  Array.from({ length: number }, (_, at) => `d${at}.${below}`)

interface Timed extends Site {
  readonly clock: TestClock
}

async function timedSite(...ids: string[]): Promise<Timed> {
  const clock = new TestClock()
  const site = newSite(clock.includes)
  await clock.set(site.store, clock.now)
  for (const id of ids) await site.registry.tenants.add(id, {}, 'root')
  return { ...site, clock }
}

/** Whether the tenants' lists, not their claims, let the tenant register a name. */
async function isFree({ registry }: Site, tenant: string, domain: string): Promise<boolean> {
  try {
    await registry.domains.add(tenant, [plain(domain)], 'root')
    return true
  } catch (error) {
    assert.ok(error instanceof UserError, String(error))
    return false
  }
}

/** What is pending, with the leases. */
function pendingOf({ store }: Site): Promise<Record<string, string>> {
  return store.client.hgetall(store.keys.ownerPending)
}

/** Runs the call for a process that is killed after 1, 2, 3 … commands, until one is not killed. */
async function killedAnywhere(
  prepare: () => Promise<Timed>,
  call: (registry: Registries) => Promise<unknown>,
  check: (site: Timed) => Promise<void>,
): Promise<number> {
  for (let commands = 1; ; commands++) {
    const site = await prepare()
    const killed = await call(new Registries(site.connectUntil(commands))).then(
      () => false,
      () => true,
    )
    await check(site)
    if (!killed) return commands
  }
}

describe('an addition that was killed anywhere', () => {
  const many = names(700)

  it('keeps others from its names for a minute, and no longer', async () => {
    const kills = await killedAnywhere(
      () => timedSite('a', 'b'),
      (registry) => registry.domains.add('a', many.map(plain), 'root'),
      async (site) => {
        const has = new Set((await site.registry.domains.list('a')).map(({ domain }) => domain))
        const claimed = await ownerOf(site.store, 'd3.example')
        assert.equal(await isFree(site, 'b', 'd3.example'), claimed === undefined)
        await site.clock.advance(site.store, LEASE)
        for (const domain of [many[0]!, many[5]!, many.at(-1)!]) {
          assert.equal(await isFree(site, 'b', domain), !has.has(domain), domain)
        }
      },
    )
    assert.ok(kills > 10, `${kills}`)
  })

  it('is completed by the same call', async () => {
    await killedAnywhere(
      () => timedSite('a'),
      (registry) => registry.domains.add('a', many.map(plain), 'root'),
      async (site) => {
        await site.registry.domains.add('a', many.map(plain), 'root')
        assert.equal((await site.registry.domains.list('a')).length, many.length)
        await assertConsistent(site.store)
        await site.clock.advance(site.store, LEASE)
        await assertConsistent(site.store)
        await site.registry.domains.add('a', [plain('last.example')], 'root')
        assert.deepEqual(await pendingOf(site), {})
      },
    )
  })

  it('is cleared up by the removal of its tenant', async () => {
    await killedAnywhere(
      () => timedSite('a'),
      (registry) => registry.domains.add('a', many.map(plain), 'root'),
      async (site) => {
        await removeTenant(site.store, 'a')
        assert.equal(await site.store.client.hlen(site.store.keys.ownerNames), 0)
        await site.clock.advance(site.store, LEASE)
        await assertConsistent(site.store)
        for (const field of Object.keys(await pendingOf(site))) assert.match(field, /^@/)
      },
    )
  })

  it('is cleared up by a repair, and not before its lease is over', async () => {
    await killedAnywhere(
      () => timedSite('a', 'b'),
      (registry) => registry.domains.add('a', many.map(plain), 'root'),
      async (site) => {
        const before = await site.store.client.hgetall(site.store.keys.ownerNames)
        await repair(site.store, await findInconsistencies(site.store))
        assert.deepEqual(await site.store.client.hgetall(site.store.keys.ownerNames), before)
        await site.clock.advance(site.store, LEASE)
        await repair(site.store, await findInconsistencies(site.store))
        await assertConsistent(site.store)
        assert.deepEqual(await pendingOf(site), {})
        const list = await site.registry.domains.list('a')
        assert.equal(await site.store.client.hlen(site.store.keys.ownerNames), list.length)
      },
    )
  })
})

/** Does something before each script. */
class SlowStore extends Store {
  constructor(
    { client, keys }: Store,
    includes: Record<string, string>,
    private readonly before: (script: string) => Promise<void>,
  ) {
    super(client, keys, includes)
  }

  override async run(...args: Parameters<Store['run']>): Promise<unknown> {
    await this.before(args[0].name)
    return super.run(...args)
  }
}

describe('an addition that runs', () => {
  it('keeps its names however long it takes, as long as each step takes less than a minute', async () => {
    const site = await timedSite('a', 'b')
    const { clock, store } = site
    let attempts = -1
    const slow = new SlowStore(site.connect(), clock.includes, async () => {
      await clock.advance(store, LEASE / 2 - 1)
      // Before the first one, nothing is claimed.
      if (++attempts === 0) return
      assert.ok(!(await isFree(site, 'b', 'd0.example')), `before step ${attempts}`)
      await assertConsistent(store)
    })
    await new Registries(slow).domains.add('a', names(1200).map(plain), 'root')
    assert.equal(attempts, 2 + 2 * 3)
    assert.equal((await site.registry.domains.list('a')).length, 1200)
    await assertConsistent(store)
    assert.deepEqual(await pendingOf(site), {})
  })

  it('is refused and undone if it pauses so long that another tenant gets one of its names', async () => {
    const site = await timedSite('a', 'b')
    const { clock, store } = site
    const slow = new SlowStore(site.connect(), clock.includes, async (script) => {
      if (script !== 'domains_put') return
      await clock.advance(store, LEASE)
      await isFree(site, 'b', 'd7.example')
    })
    const error = await errorOf(
      new Registries(slow).domains.add('a', names(700).map(plain), 'root'),
    )
    assert.match(error.message, /d7\.example belongs to b/)
    assert.deepEqual(await site.registry.domains.list('a'), [])
    assert.equal(await ownerOf(store, 'd7.example'), 'b')
    assert.equal(await store.client.hlen(store.keys.ownerNames), 1)
    await assertConsistent(store)
  })

  it('that is stopped has registered all, or none', async () => {
    for (let steps = 0, isDone = false; !isDone; steps++) {
      const site = await timedSite('a', 'b')
      const stop = new AbortController()
      let left = steps
      const slow = new SlowStore(site.connect(), site.clock.includes, async () => {
        if (left-- === 0) stop.abort()
        await Promise.resolve()
      })
      const domains = names(1200).map(plain)
      const stopped = await new Registries(slow).domains
        .add('a', domains, 'root', { signal: stop.signal })
        .then(
          () => undefined,
          (error: unknown) => error,
        )
      const list = await site.registry.domains.list('a')
      if (stopped === undefined) assert.equal(list.length, domains.length)
      else {
        assert.ok(stopped instanceof InterruptedError)
        assert.match(stopped.message, /no domain of a was changed: run the same command again/)
        assert.deepEqual(list, [])
        assert.equal(await isFree(site, 'b', 'd1.example'), true)
      }
      assert.deepEqual(await pendingOf(site), {})
      await assertConsistent(site.store)
      isDone = !stop.signal.aborted
    }
  })

  it('tells how far it is', async () => {
    const site = await timedSite('a')
    const told: string[] = []
    const work = {
      progress: (done: number, total: number) => told.push(`${done} of ${total}`),
    }
    await site.registry.domains.add('a', names(1000).map(plain), 'root', work)
    await site.registry.domains.remove('a', names(1000), work)
    const halves = ['250 of 1000', '500 of 1000', '750 of 1000', '1000 of 1000']
    assert.deepEqual(told, [...halves, ...halves])
  })
})

describe('what an interrupted command has left', () => {
  it('below a name hinders neither who covers it nor a move', async () => {
    const site = await timedSite('a', 'b', 'c')
    const below = names(1200, 'b.example').map(plain)
    await assert.rejects(new Registries(site.connectUntil(7)).domains.add('a', below, 'root'))
    assert.equal(await ownerOf(site.store, 'd0.b.example'), 'a')
    const cover = () => site.registry.domains.add('b', [wide('b.example')], 'root')
    assert.match(
      (await errorOf(cover())).message,
      /^d\d+\.b\.example is being registered for a just now \(if that was interrupted, it is free in a minute\)/,
    )
    await site.clock.advance(site.store, LEASE)
    const wanted = [{ domain: 'd0.b.example', subdomains: false }]
    assert.deepEqual(await findObstacles(site.store, 'b', wanted), [])
    assert.equal(await ownerOf(site.store, 'd0.b.example'), 'a')
    await cover()
    await assertConsistent(site.store)
  })

  it('above a name does not keep it from moving', async () => {
    const site = await timedSite('a', 'b', 'c')
    await site.registry.domains.add('b', [plain('x.a.example')], 'root')
    await site.registry.domains.remove('b', ['x.a.example'])
    const site2 = new Registries(site.connectUntil(4))
    await assert.rejects(site2.domains.add('a', [wide('a.example')], 'root'))
    assert.equal(await ownerOf(site.store, 'x.a.example'), 'a')
    await site.clock.advance(site.store, LEASE)
    await site.registry.domains.add('b', [plain('x.a.example')], 'root')
    await site.registry.domains.move('x.a.example', 'c', 'root')
    await assertConsistent(site.store)
  })

  it('is never taken from a tenant whose list was lost, unless a command was interrupted', async () => {
    const site = await timedSite('a', 'b')
    await site.registry.domains.add('a', [plain('a.example')], 'root')
    await site.store.client.del(site.store.keys.domains('a'))
    await site.clock.advance(site.store, 10 * LEASE)
    assert.equal(await isFree(site, 'b', 'a.example'), false)
  })
})

describe('a removal that was killed anywhere', () => {
  it('is completed by the same call, and hinders nobody meanwhile', async () => {
    const some = names(1100)
    await killedAnywhere(
      async () => {
        const site = await timedSite('a', 'b')
        await site.registry.domains.add('a', [...some, 'stays.example'].map(plain), 'root')
        return site
      },
      (registry) => registry.domains.remove('a', some),
      async (site) => {
        const has = new Set((await site.registry.domains.list('a')).map(({ domain }) => domain))
        for (const domain of ['stays.example', some[0]!]) {
          assert.equal(await isFree(site, 'b', domain), !has.has(domain), domain)
        }
        if (!has.has(some[0]!)) await site.registry.domains.remove('b', [some[0]!])
        const rest = has.has(some[0]!) ? some : some.slice(1)
        const claims = await site.store.client.hmget(site.store.keys.ownerNames, ...rest)
        const repeated = await site.registry.domains.remove('a', rest).then(
          () => 'done',
          (error: Error) => error.message,
        )
        if (claims.some((claim) => claim !== null)) assert.equal(repeated, 'done')
        else assert.match(repeated, /not registered for a/)
        assert.equal((await site.registry.domains.list('a')).length, 1)
        await assertConsistent(site.store)
      },
    )
  })
})

describe('the removal of a tenant that was killed anywhere', () => {
  it('leaves its names to it, or to nobody, and is completed by the same call', async () => {
    const some = names(1100)
    await killedAnywhere(
      async () => {
        const site = await timedSite('a', 'b')
        await site.registry.domains.add('a', some.map(plain), 'root')
        return site
      },
      ({ store }) => removeTenant(store, 'a'),
      async (site) => {
        const { client, keys } = site.store
        const isThere = (await client.exists(keys.tenant('a'))) === 1
        for (const domain of [some[0]!, some.at(-1)!]) {
          assert.equal(await isFree(site, 'b', domain), !isThere, domain)
        }
        const isLeft = (await client.sismember(keys.tenants, 'a')) === 1
        if (isLeft) await removeTenant(site.store, 'a')
        assert.equal(await client.hlen(keys.ownerNames), isThere ? 0 : 2)
        await assertConsistent(site.store)
        assert.deepEqual(await pendingOf(site), {})
      },
    )
  })

  it('and that is refused leaves nothing pending', async () => {
    const site = await timedSite('a')
    await site.registry.domains.add('a', names(3).map(plain), 'root')
    await site.store.client.hset(site.store.keys.restriction('a'), 'scope', 'unregistered')
    assert.match((await errorOf(removeTenant(site.store, 'a'))).message, /a is restricted/)
    assert.deepEqual(await pendingOf(site), {})
  })
})

describe('a change of subdomains', () => {
  const flagsOf = async (site: Site): Promise<string[]> =>
    (await site.registry.domains.list('a')).map(
      ({ domain, subdomains }) => `${domain} ${subdomains}`,
    )

  it('is made in place: all of them, or none', async () => {
    const site = await timedSite('a', 'b')
    const { domains } = site.registry
    await domains.add('a', [plain('one.example'), plain('two.example')], 'root')
    await domains.add('b', [plain('x.two.example')], 'root')
    const both = ['one.example', 'Two.example']
    const refused = await errorOf(domains.setSubdomains('a', both, true, 'ann'))
    assert.match(refused.message, /two\.example with subdomains would cover x\.two\.example of b/)
    assert.deepEqual(await flagsOf(site), ['one.example false', 'two.example false'])
    await assertConsistent(site.store)
    await domains.remove('b', ['x.two.example'])
    assert.deepEqual(await domains.setSubdomains('a', both, true, 'ann'), {
      changed: ['one.example', 'two.example'],
      unchanged: [],
    })
    assert.deepEqual(await flagsOf(site), ['one.example true', 'two.example true'])
    assert.equal(await isFree(site, 'b', 'x.two.example'), false)
    assert.deepEqual(await domains.setSubdomains('a', ['one.example'], true, 'bob'), {
      changed: [],
      unchanged: ['one.example'],
    })
    await domains.setSubdomains('a', ['two.example'], false, 'ann')
    assert.equal(await isFree(site, 'b', 'x.two.example'), true)
    await assertConsistent(site.store)
    assert.deepEqual(await pendingOf(site), {})
  })

  it('never finds the name missing, or owned with less than the list says', async () => {
    for (const subdomains of [true, false]) {
      const site = await timedSite('a')
      await site.registry.domains.add(
        'a',
        [{ ...plain('a.example'), subdomains: !subdomains }],
        'r',
      )
      const slow = new SlowStore(site.connect(), site.clock.includes, async () => {
        const [entry] = await site.registry.domains.list('a')
        assert.equal(await ownerOf(site.store, 'a.example'), 'a')
        if (entry!.subdomains) assert.equal(await ownerOf(site.store, 'x.a.example'), 'a')
      })
      const { changed } = await new Registries(slow).domains.setSubdomains(
        'a',
        ['a.example'],
        subdomains,
        'ann',
      )
      assert.deepEqual(changed, ['a.example'])
    }
  })

  for (const subdomains of [true, false]) {
    const what = subdomains ? 'widens' : 'narrows'
    it(`that ${what} and was killed anywhere hinders nobody longer than a minute`, async () => {
      await killedAnywhere(
        async () => {
          const site = await timedSite('a', 'b')
          const entry = { domain: 'a.example', subdomains: !subdomains, shared: false }
          await site.registry.domains.add('a', [entry], 'root')
          return site
        },
        ({ domains }) => domains.setSubdomains('a', ['a.example'], subdomains, 'ann'),
        async (site) => {
          await site.clock.advance(site.store, LEASE)
          const [entry] = await site.registry.domains.list('a')
          assert.equal(await isFree(site, 'b', 'x.a.example'), !entry!.subdomains)
          await site.registry.domains.remove('b', ['x.a.example']).catch(() => {})
          await site.registry.domains.setSubdomains('a', ['a.example'], subdomains, 'ann')
          assert.deepEqual(await flagsOf(site), [`a.example ${subdomains}`])
          await assertConsistent(site.store)
        },
      )
    })
  }

  it('of a name that is not there is refused, also if it was removed meanwhile', async () => {
    const site = await timedSite('a')
    const { domains } = site.registry
    await domains.add('a', [plain('a.example')], 'root')
    const absent = domains.setSubdomains('a', ['a.example', 'b.example'], true, 'ann')
    assert.match((await errorOf(absent)).message, /^b\.example: not registered for a; /)
    const slow = new SlowStore(site.connect(), site.clock.includes, async (script) => {
      if (script === 'domains_put') await domains.remove('a', ['a.example'])
    })
    const meanwhile = new Registries(slow).domains.setSubdomains('a', ['a.example'], true, 'ann')
    assert.match((await errorOf(meanwhile)).message, /^a\.example: not registered for a; /)
    assert.deepEqual(await domains.list('a'), [])
    await assertConsistent(site.store)
  })
})

describe('an addition and a removal of the same name', () => {
  it('leave it free a minute after both were killed before their last step', async () => {
    const site = await timedSite('a', 'b')
    const killed = (): Promise<never> => Promise.reject(new Error('the process was killed here'))
    const removal = new SlowStore(site.connect(), site.clock.includes, (script) =>
      script === 'owners_reconcile' ? killed() : Promise.resolve(),
    )
    let reconciled = 0
    const addition = new SlowStore(site.connect(), site.clock.includes, async (script) => {
      if (script !== 'owners_reconcile') return
      if (++reconciled > 1) return killed()
      await errorOf(new Registries(removal).domains.remove('a', ['a.example']))
    })
    await errorOf(new Registries(addition).domains.add('a', [plain('a.example')], 'root'))
    assert.equal(reconciled > 1, true)
    assert.deepEqual(await site.registry.domains.list('a'), [])
    await site.clock.advance(site.store, LEASE)
    assert.ok(await isFree(site, 'b', 'a.example'))
  })
})

describe('random commands of two tenants, killed at random', () => {
  const tenant = fc.constantFrom('a', 'b')
  const domain = fc
    .array(fc.constantFrom('x', 'y'), { maxLength: 2 })
    .map((labels) => [...labels, 'z', 'example'].join('.'))
  const entry = fc.tuple(fc.constantFrom(plain, wide), domain).map(([flag, name]) => flag(name))
  const command = fc.record({
    kind: fc.constantFrom('add' as const, 'put' as const, 'set' as const, 'remove' as const),
    tenant,
    entries: fc.array(entry, { minLength: 1, maxLength: 3 }),
    /** Commands to Redis after which the process is killed; mostly it is not. */
    killedAfter: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.constant(1000)),
    passes: fc.constantFrom(0, 0, LEASE),
  })

  it('leave no name that its owner has not registered, once a minute has passed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(command, { minLength: 1, maxLength: 6 }), {
          minLength: 2,
          maxLength: 3,
        }),
        async (operators) => {
          const site = await timedSite('a', 'b')
          await Promise.all(
            operators.map(async (commands) => {
              for (const { kind, tenant, entries, killedAfter, passes } of commands) {
                const { domains } = new Registries(site.connectUntil(killedAfter))
                const names = entries.map(({ domain }) => domain)
                const run = {
                  add: () => domains.add(tenant, entries, 'root'),
                  put: () => domains.put(tenant, entries, 'root'),
                  set: () => domains.setSubdomains(tenant, names, entries[0]!.subdomains, 'root'),
                  remove: () => domains.remove(tenant, names),
                }[kind]
                await run().catch(() => {})
                if (passes > 0) await site.clock.advance(site.store, passes)
              }
            }),
          )
          await site.clock.advance(site.store, LEASE)
          const [a, b] = await Promise.all(['a', 'b'].map((id) => site.registry.domains.list(id)))
          const registered = new Set([...a!, ...b!].map(({ domain }) => domain))
          const above = [...a!, ...b!].filter(({ subdomains }) => subdomains)
          await site.registry.tenants.add('c', {}, 'root')
          for (const name of ['z', 'x.z', 'y.z', 'x.y.z', 'y.y.z'].map(
            (each) => `${each}.example`,
          )) {
            const covered = above.some((each) => name.endsWith(`.${each.domain}`))
            const isTaken = registered.has(name) || covered
            assert.equal(await isFree(site, 'c', name), !isTaken, name)
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
