import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { waitFor } from '../../scripts/services/wait-for'
import { Store } from '../../src/store/store'
import { Directory } from '../../src/directory/directory'
import type { DomainsChange } from '../../src/registry/domain-changes'
import { ChangeBuffer } from '../../src/directory/change-buffer'
import { parseChange } from '../../src/registry/changes'
import { removeEntries, putEntries } from '../../src/registry/domain-entries'
import { parseFlags, type DomainFlags } from '../../src/registry/formats'
import { readSnapshot } from '../../src/directory/snapshot-reader'
import { interrupted } from '../support/interrupted'
import { newSite, theRedis, useRedis, type Site } from '../support/registry'
import { unreliable, type Fate } from '../support/unreliable-subscriber'

useRedis()

const TENANT = 'contoso'
const BY = 'test'
/** Enough for a list that is read in pieces. */
const MANY = 3000
const plain = (domain: string) => ({ domain, subdomains: false, shared: false })
const open: Directory[] = []

afterEach(() => {
  for (const directory of open.splice(0)) directory.stop()
})

/** A store that counts how often a tenant is asked for. */
class CountingStore extends Store {
  questions = 0

  override run(...[script, keys, args]: Parameters<Store['run']>): Promise<unknown> {
    if (script.name === 'snapshot') this.questions++
    return super.run(script, keys, args)
  }
}

async function siteWith(count = MANY): Promise<Site> {
  const site = newSite()
  const { client, keys } = site.store
  await site.registry.tenants.add(TENANT, {}, BY)
  const names = Array.from({ length: count }, (_, at) => [`d${at}.example`, '- 1 test'])
  if (count > 0) await client.hset(keys.domains(TENANT), ...names.flat())
  return site
}

interface Followed {
  readonly directory: Directory
  readonly store: CountingStore
  readonly errors: string[]
}

interface FollowOptions {
  /** What becomes of each message. */
  fateOf?: (message: string) => Fate
  ageLimit?: number
  /** What happens after each piece of a list that this process reads. */
  interlude?: () => Promise<unknown>
}

/** A process that follows changes and knows the tenant. */
async function follow(
  { store }: Site,
  { fateOf = () => 'heard', ageLimit = 60_000, interlude }: FollowOptions = {},
): Promise<Followed> {
  const { keys } = store
  const own = new CountingStore(theRedis().client(), keys)
  // A connection that becomes ready later would have all read again, while the test counts.
  await own.client.ping()
  const errors: string[] = []
  const events = { onReady() {}, onRestriction() {}, onError: (each: string) => errors.push(each) }
  const reading = interlude ? interrupted(own, interlude) : own
  const directory = new Directory(reading, events, ageLimit)
  open.push(directory)
  directory.follow(unreliable(theRedis().client(), fateOf))
  await waitFor(async () => (await store.client.pubsub('NUMSUB', keys.changes))[1] === 1)
  await waitFor(() => directory.connectors)
  await directory.load(TENANT)
  return { directory, store: own, errors }
}

/** The accepted domains as Redis holds them. */
async function heldBy({ store }: Site): Promise<Map<string, DomainFlags>> {
  const all = Object.entries(await store.client.hgetall(store.keys.domains(TENANT)))
  return new Map(all.map(([domain, packed]) => [domain, parseFlags(packed)]))
}

function tokenIn({ store }: Site): Promise<string | null> {
  return store.client.hget(store.keys.tenant(TENANT), 'domains')
}

function assertSameDomains(
  known: ReadonlyMap<string, DomainFlags> | undefined,
  held: ReadonlyMap<string, DomainFlags>,
): void {
  const sorted = (map: ReadonlyMap<string, DomainFlags>) => [...map].sort()
  assert.deepEqual(sorted(known ?? new Map()), sorted(held))
}

/** The process knows what Redis holds, under the same token. */
async function assertConverges(site: Site, { directory }: Followed): Promise<void> {
  await waitFor(async () => (await tokenIn(site)) === directory.peek(TENANT)?.domainsToken)
  assertSameDomains(directory.peek(TENANT)?.domains, await heldBy(site))
}

describe('the message of changed domains', () => {
  it('says what has become of each, and which token it goes on from', async () => {
    const site = await siteWith(0)
    const changes = await site.changes()
    const tokens = [await tokenIn(site)]
    const act = async (work: Promise<unknown>) => {
      await work
      tokens.push(await tokenIn(site))
    }
    await act(
      site.registry.domains.add(
        TENANT,
        [
          plain('a.example'),
          { domain: 'b.example', subdomains: true, shared: false },
          { domain: 'c.example', subdomains: true, shared: true },
          { domain: 'd.example', subdomains: false, shared: true },
        ],
        BY,
      ),
    )
    await act(
      site.registry.domains.put(
        TENANT,
        [{ domain: 'a.example', subdomains: true, shared: false }, plain('b.example')],
        BY,
      ),
    )
    await act(site.registry.domains.remove(TENANT, ['a.example', 'c.example']))
    const told = (await changes.read()).filter(({ tenant }) => tenant !== undefined)
    const expected = [
      { 'a.example': '-', 'b.example': 's', 'c.example': 'sh', 'd.example': 'h' },
      { 'a.example': 's', 'b.example': '-' },
      { 'a.example': null, 'c.example': null },
    ].map((domains, at) => ({
      ...{ tenant: TENANT, token: tokens[at + 1], previous: tokens[at], domains },
      about: 'domains',
    }))
    assert.deepEqual(told, expected)
  })

  it('names only what has changed', async () => {
    const site = await siteWith(0)
    await site.registry.domains.add(TENANT, [plain('a.example')], BY)
    const changes = await site.changes()
    await site.registry.domains.add(TENANT, [plain('a.example'), plain('b.example')], BY)
    await site.registry.domains.add(TENANT, [plain('a.example')], BY)
    const told = (await changes.read()).filter(({ tenant }) => tenant !== undefined)
    assert.deepEqual(
      told.map(({ domains }) => domains),
      [{ 'b.example': '-' }],
    )
  })
})

describe('a process that knows a tenant with many domains', () => {
  it('takes over what has changed, in the list that it has, and asks for nothing', async () => {
    const site = await siteWith()
    const followed = await follow(site)
    const { directory, store } = followed
    const before = directory.peek(TENANT)!
    const { questions } = store
    await theRedis().resetCommandStats()
    await site.registry.domains.add(TENANT, [plain('new.example')], BY)
    await waitFor(() => directory.peek(TENANT)?.domains.has('new.example'))
    await site.registry.domains.put(
      TENANT,
      [{ domain: 'new.example', subdomains: true, shared: false }],
      BY,
    )
    await waitFor(() => directory.peek(TENANT)?.domains.get('new.example')?.subdomains)
    await site.registry.domains.remove(TENANT, ['new.example'])
    await waitFor(() => !directory.peek(TENANT)?.domains.has('new.example'))
    await assertConverges(site, followed)
    assert.equal(directory.peek(TENANT)?.domains, before.domains, 'a copy was made')
    assert.notEqual(directory.peek(TENANT), before, 'under the old token')
    assert.equal(store.questions, questions)
    assert.equal((await theRedis().commandStats())['hscan'], undefined)
  })

  it('reads the list again where more has changed than a message tells', async () => {
    const site = await siteWith()
    const followed = await follow(site)
    await theRedis().resetCommandStats()
    const entries = Array.from({ length: 501 }, (_, at) => plain(`new${at}.example`))
    await putEntries(site.store, TENANT, entries, BY, 'add')
    await assertConverges(site, followed)
    assert.ok((await theRedis().commandStats())['hscan'])
  })

  it('reads the list again where the one who changed it does not say how', async () => {
    const site = await siteWith()
    const followed = await follow(site)
    const older = new Store(theRedis().client(), site.store.keys, {
      changed_domains: 'local function changed_domains() return nil end',
    })
    await putEntries(older, TENANT, [plain('new.example')], BY, 'add')
    await assertConverges(site, followed)
    await site.registry.domains.remove(TENANT, ['new.example'])
    await assertConverges(site, followed)
  })

  it('waits for the news on its way before it reads the list again', async () => {
    const site = await siteWith()
    const fateOf = (message: string): Fate => (message.includes(TENANT) ? 'late' : 'lost')
    const followed = await follow(site, { fateOf })
    await theRedis().resetCommandStats()
    for (let at = 0; at < 5; at++) {
      await site.registry.domains.add(TENANT, [plain(`new${at}.example`)], BY)
      await followed.directory.load(TENANT)
      await assertConverges(site, followed)
    }
    assert.equal((await theRedis().commandStats())['hscan'], undefined)
  })

  it('has read the list once, where it changes while it is read', async () => {
    const site = await siteWith()
    let changes = 0
    const interlude = () => change(site, 'add', `new${changes++}.example`)
    const followed = await follow(site, { interlude })
    await assertConverges(site, followed)
    assert.ok(changes <= 5, `${changes} pieces were read`)
  })

  it('reads the list again after a failure, where it has missed something meanwhile', async () => {
    const site = await siteWith()
    let fate: Fate = 'heard'
    let messages = 0
    const fateOf = (message: string): Fate => {
      if (!message.includes('new')) return 'heard'
      messages++
      return fate
    }
    let failures = 0
    const interlude = async (): Promise<void> => {
      if (messages === 0 || failures++ > 0) return
      await change(site, 'add', 'new3.example')
      await waitFor(() => messages === 3)
      throw new Error('the connection broke')
    }
    const followed = await follow(site, { fateOf, interlude })
    fate = 'lost'
    await change(site, 'add', 'new1.example')
    await waitFor(() => messages === 1)
    fate = 'heard'
    await change(site, 'add', 'new2.example')
    await waitFor(() => messages === 3)
    await assertConverges(site, followed)
    assert.equal(followed.errors.length, 1)
  })

  it('knows in the end what Redis holds, whatever is lost, comes twice or late', async () => {
    const fate = fc.constantFrom<Fate>('heard', 'heard', 'lost', 'twice', 'late')
    const step = fc.record({
      domain: fc.nat(5).map((at) => `x${at}.example`),
      what: fc.constantFrom('add', 'widen', 'remove', 'many', 'load'),
      wait: fc.boolean(),
    })
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 20 }),
      fc.array(fate, { minLength: 1, maxLength: 10 }),
      async (steps, fates) => {
        const site = await siteWith(1500)
        let messages = 0
        const fateOf = (): Fate => fates[messages++ % fates.length]!
        const followed = await follow(site, { fateOf, ageLimit: 50 })
        const done: Promise<unknown>[] = []
        for (const { domain, what, wait } of steps) {
          const work =
            what === 'load' ? followed.directory.load(TENANT) : change(site, what, domain)
          done.push(work)
          if (wait) await work
        }
        await Promise.all(done)
        await assertConverges(site, followed)
        followed.directory.stop()
        followed.store.client.disconnect()
      },
    )
    await fc.assert(property, { numRuns: 30 })
  })
})

/** Changes the list alone, not who owns the names. */
function change({ store }: Site, what: string, domain: string): Promise<unknown> {
  const put = (names: readonly string[], subdomains: boolean) =>
    putEntries(
      store,
      TENANT,
      names.map((each) => ({ domain: each, subdomains, shared: false })),
      BY,
      'set',
    )
  if (what === 'remove') return removeEntries(store, TENANT, [domain], 'any')
  if (what === 'many') {
    const more = Array.from({ length: 501 }, (_, at) => `${at}.${domain}`)
    return put([domain, ...more], true)
  }
  return put([domain], what === 'widen')
}

describe('a list that changes while it is read', () => {
  it('is read once and right, however often it changes, where all changes are heard', async () => {
    const step = fc.record({
      domain: fc.nat(MANY + 20).map((at) => `d${at}.example`),
      what: fc.constantFrom('add', 'widen', 'remove'),
    })
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 0, max: 4 }),
      async (steps, behind) => {
        const site = await siteWith()
        const changes = await site.changes()
        const heard = new ChangeBuffer<DomainsChange>()
        let told = 0
        let pieces = 0
        /** All messages but the last few are heard. */
        const hear = async (late: number): Promise<void> => {
          const all = await changes.read()
          for (; told < all.length - late; told++) {
            const news = parseChange(JSON.stringify(all[told]))
            if (news && 'tenant' in news && news.domains) heard.add(news.domains)
          }
        }
        const busy = interrupted(site.store, async () => {
          const [now, later] = [steps.slice(pieces * 6, pieces * 6 + 6), behind]
          pieces++
          for (const { what, domain } of now) {
            await change(site, what, domain)
          }
          await hear(later)
        })
        const snapshot = await readSnapshot(busy, TENANT, undefined, {
          buffer: heard,
          catchUp: () => hear(0),
          onEventsPending: () => {},
        })
        const { length } = steps
        assert.ok(snapshot)
        assert.ok(pieces <= 5, `${pieces} pieces were read, ${length} changes`)
        assert.equal(snapshot.domainsToken, await tokenIn(site))
        assertSameDomains(snapshot.domains, await heldBy(site))
        site.store.client.disconnect()
      },
    )
    await fc.assert(property, { numRuns: 40 })
  })
})
