import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { NotFoundError, RefusedError } from '../../src/base/errors'
import { parentsOf } from '../../src/names/domain'
import type { DomainEntry } from '../../src/registry/domain-entries'
import { ownerOf } from '../../src/registry/owners'
import { Registries } from '../support/registries'
import { reconcileClaims } from '../../src/registry/reconcile'
import { assertConsistent, errorOf, newSite, useRedis, type Site } from '../support/registry'
import { removeTenant } from '../../src/registry/tenant-removal'

useRedis()

const plain = (domain: string): DomainEntry => ({ domain, subdomains: false, shared: false })
const wide = (domain: string): DomainEntry => ({ domain, subdomains: true, shared: false })
const shared = (domain: string): DomainEntry => ({ domain, subdomains: false, shared: true })

async function siteWith(...ids: string[]): Promise<Site> {
  const site = newSite()
  for (const id of ids) await site.registry.tenants.add(id, {}, 'root')
  return site
}

async function isRefused(promise: Promise<unknown>): Promise<boolean> {
  try {
    await promise
    return false
  } catch (error) {
    assert.ok(error instanceof RefusedError, String(error))
    return true
  }
}

describe('the owner of a name', () => {
  it('is who has it, or a name above it with subdomains', async () => {
    const { registry, store } = await siteWith('a', 'b')
    await registry.domains.add(
      'a',
      [wide('a.example'), plain('only.example'), shared('s.local')],
      'root',
    )
    await registry.domains.add('b', [plain('b.example')], 'root')
    const owners = {
      'a.example': 'a',
      'x.a.example': 'a',
      'y.x.a.example': 'a',
      'xa.example': undefined,
      'only.example': 'a',
      'x.only.example': undefined,
      'b.example': 'b',
      's.local': undefined,
      example: undefined,
    }
    for (const [domain, owner] of Object.entries(owners)) {
      assert.equal(await ownerOf(store, domain), owner, domain)
    }
  })

  it('keeps others from the name, from names below with subdomains, and from covering it', async () => {
    const { registry, store } = await siteWith('a', 'b')
    await registry.domains.add('a', [wide('a.example'), plain('x.y.example')], 'root')
    const refused: [DomainEntry, RegExp][] = [
      [plain('a.example'), /a\.example belongs to a/],
      [plain('x.a.example'), /x\.a\.example lies below a\.example, which a has with subdomains/],
      [wide('y.x.a.example'), /lies below a\.example/],
      [wide('y.example'), /y\.example with subdomains would cover x\.y\.example of a/],
      [wide('x.y.example'), /x\.y\.example belongs to a/],
    ]
    for (const [entry, message] of refused) {
      const error = await errorOf(registry.domains.add('b', [entry], 'root'))
      assert.ok(error instanceof RefusedError)
      assert.match(error.message, message)
    }
    const allowed = [
      plain('y.example'),
      plain('xa.example'),
      wide('a-a.example'),
      plain('z.x.y.example'),
    ]
    await registry.domains.add('b', allowed, 'root')
    await assertConsistent(store)
  })

  it('never keeps a tenant from its own names', async () => {
    const { registry, store } = await siteWith('a')
    await registry.domains.add('a', [plain('x.a.example')], 'root')
    await registry.domains.add(
      'a',
      [wide('a.example'), plain('y.a.example'), wide('x.y.a.example')],
      'root',
    )
    await registry.domains.remove('a', ['a.example'])
    await assertConsistent(store)
    assert.equal(await ownerOf(store, 'z.a.example'), undefined)
    assert.equal(await ownerOf(store, 'x.a.example'), 'a')
  })

  it('is nobody for what is shared, and shared hinders nobody', async () => {
    const { registry, store } = await siteWith('a', 'b', 'c')
    await registry.domains.add('a', [wide('a.example')], 'root')
    for (const tenant of ['b', 'c']) {
      await registry.domains.add(
        tenant,
        [shared('a.example'), shared('x.a.example'), shared('p.local')],
        'root',
      )
    }
    await registry.domains.remove('a', ['a.example'])
    await registry.domains.add('c', [plain('y.a.example')], 'root')
    await registry.domains.remove('b', ['a.example'])
    await assertConsistent(store)
    assert.equal(await ownerOf(store, 'a.example'), undefined)
  })

  it('covers many names of its own, and sees one of another among them', async () => {
    const { registry, store } = await siteWith('a', 'b')
    const many = Array.from({ length: 1200 }, (_, at) => plain(`d${at}.crowd.example`))
    await registry.domains.add('a', many, 'root')
    await registry.domains.add('b', [plain('d999x.crowd.example')], 'root')
    const error = await errorOf(registry.domains.add('a', [wide('crowd.example')], 'root'))
    assert.match(error.message, /would cover d999x\.crowd\.example of b/)
    await registry.domains.remove('b', ['d999x.crowd.example'])
    await registry.domains.add('a', [wide('crowd.example')], 'root')
    assert.ok(await isRefused(registry.domains.add('b', [plain('d999x.crowd.example')], 'root')))
    await assertConsistent(store)
  })
})

describe('two operators at once', () => {
  /** Waits for some round trips. */
  async function after({ store }: Registries, trips: number): Promise<void> {
    for (let trip = 0; trip < trips; trip++) await store.client.ping()
  }

  /** Both start together, or one of them some round trips later, in turn. */
  async function race(
    first: DomainEntry[],
    second: DomainEntry[],
    rounds: number,
  ): Promise<[number, number]> {
    const site = await siteWith('a', 'b')
    const a = new Registries(site.connect())
    const b = new Registries(site.connect())
    const wins: [number, number] = [0, 0]
    for (let round = 0; round < rounds; round++) {
      const lead = (round % 11) - 5
      const [aRefused, bRefused] = await Promise.all([
        after(a, -lead).then(() => isRefused(a.domains.add('a', first, 'root'))),
        after(b, lead).then(() => isRefused(b.domains.add('b', second, 'root'))),
      ])
      assert.notEqual(aRefused, bRefused, `round ${round}: ${aRefused ? 'nobody' : 'both'} won`)
      await assertConsistent(site.store)
      const [winner, domains] = aRefused ? (['b', second] as const) : (['a', first] as const)
      wins[aRefused ? 1 : 0]++
      const loser = aRefused ? 'a' : 'b'
      assert.equal((await site.registry.domains.list(winner)).length, domains.length)
      assert.deepEqual(await site.registry.domains.list(loser), [])
      for (const { domain } of domains) assert.equal(await ownerOf(site.store, domain), winner)
      await site.registry.domains.remove(
        winner,
        domains.map(({ domain }) => domain),
      )
    }
    return wins
  }

  it('exactly one gets a name', async () => {
    const wins = await race([plain('contoso.com')], [plain('contoso.com')], 60)
    assert.ok(wins[0] > 0 && wins[1] > 0, `both orders happened: ${wins.join(', ')}`)
  })

  it('exactly one gets a name and its parent with subdomains', async () => {
    const wins = await race([wide('contoso.com')], [plain('mail.contoso.com')], 60)
    assert.ok(wins[0] > 0 && wins[1] > 0, `both orders happened: ${wins.join(', ')}`)
  })

  it('exactly one gets two batches that collide in many pieces', async () => {
    const own = (who: string) =>
      Array.from({ length: 700 }, (_, at) => plain(`${who}${at}.example`))
    const [a0, a1] = [wide('p0.example'), plain('x.p1.example')]
    const [b0, b1] = [wide('p1.example'), plain('x.p0.example')]
    // Each would have taken first what the other wants last, had they kept to the order given.
    const first = [plain('y.example'), a0, ...own('a'), a1, plain('z.example')]
    const second = [plain('z.example'), b0, ...own('b'), b1, plain('y.example')]
    await race(first, second, 11)
  })

  it('removal and addition of one name by its tenant leave it owned where it is registered', async () => {
    const site = await siteWith('a', 'b')
    const [one, two, other] = [1, 2, 3].map(() => new Registries(site.connect()))
    for (let round = 0; round < 60; round++) {
      await Promise.allSettled([
        one!.domains.remove('a', ['contoso.com']),
        two!.domains.add('a', [plain('contoso.com')], 'root'),
        other!.domains.add('b', [plain('contoso.com')], 'root'),
        one!.domains.add('a', [plain('contoso.com')], 'root'),
        two!.domains.remove('a', ['contoso.com']),
      ])
      await assertConsistent(site.store)
      const has = await Promise.all(['a', 'b'].map((id) => site.registry.domains.list(id)))
      assert.ok(has.flat().length <= 1)
      if (has[1]!.length > 0) await site.registry.domains.remove('b', ['contoso.com'])
    }
  })
})

describe('somebody else in between', () => {
  it('adds again what is just being removed: it stays owned', async () => {
    const site = await siteWith('a')
    const { registry, store } = site
    await registry.domains.add('a', [plain('contoso.com')], 'root')
    const again = () => registry.domains.add('a', [plain('contoso.com')], 'root')
    await new Registries(site.connectBefore('owners_reconcile', again)).domains.remove('a', [
      'contoso.com',
    ])
    assert.equal(await ownerOf(store, 'contoso.com'), 'a')
    await assertConsistent(store)
  })

  it('widens what is just being added: it stays owned with subdomains', async () => {
    const site = await siteWith('a')
    const widen = () => site.registry.domains.put('a', [wide('contoso.com')], 'root')
    const slow = new Registries(site.connectBefore('owners_reconcile', widen))
    await slow.domains.add('a', [plain('contoso.com')], 'root')
    assert.equal(await ownerOf(site.store, 'x.contoso.com'), 'a')
    await assertConsistent(site.store)
  })

  it('frees the name for another tenant that takes it: the addition is refused and undone', async () => {
    const site = await siteWith('a', 'b')
    const { registry, store } = site
    const takeAway = async () => {
      await registry.domains.remove('a', ['contoso.com'])
      await registry.domains.add('b', [plain('contoso.com')], 'root')
    }
    const slow = new Registries(site.connectBefore('domains_put', takeAway))
    const error = await errorOf(
      slow.domains.add('a', [plain('contoso.com'), plain('contoso.net')], 'root'),
    )
    assert.ok(error instanceof RefusedError)
    assert.match(error.message, /contoso\.com belongs to b/)
    assert.deepEqual(await registry.domains.list('a'), [])
    assert.equal(await ownerOf(store, 'contoso.com'), 'b')
    assert.equal(await ownerOf(store, 'contoso.net'), undefined)
    await assertConsistent(store)
  })

  it('removes the tenant: the addition is refused, and its names are free', async () => {
    const site = await siteWith('a', 'b')
    const { registry, store } = site
    const slow = new Registries(
      site.connectBefore('domains_put', () => removeTenant(registry.store, 'a')),
    )
    const error = await errorOf(slow.domains.add('a', [plain('contoso.com')], 'root'))
    assert.ok(error instanceof NotFoundError)
    await registry.domains.add('b', [plain('contoso.com')], 'root')
    await assertConsistent(store)
  })

  it('removes the new tenant: a move gives the domain back', async () => {
    const site = await siteWith('a', 'b')
    const { registry, store } = site
    await registry.domains.add('a', [plain('contoso.com')], 'root')
    const slow = new Registries(
      site.connectBefore('domains_put', () => removeTenant(registry.store, 'b')),
    )
    const error = await errorOf(slow.domains.move('contoso.com', 'b', 'root'))
    assert.ok(error instanceof NotFoundError)
    assert.equal(await ownerOf(store, 'contoso.com'), 'a')
    await assertConsistent(store)
  })
})

describe('the move of a domain', () => {
  it('that was cut short leaves the entry to the old tenant until it is finished', async () => {
    const site = await siteWith('a', 'b')
    const { registry, store } = site
    await registry.domains.add('a', [plain('contoso.com')], 'root')
    await assert.rejects(
      new Registries(site.connectUntil(2)).domains.move('contoso.com', 'b', 'root'),
    )
    assert.ok(await isRefused(registry.domains.add('a', [plain('contoso.com')], 'root')))
    await reconcileClaims(store, 'a', ['contoso.com'])
    await reconcileClaims(store, 'b', ['contoso.com'])
    assert.equal((await registry.domains.list('a')).length, 1)
    assert.equal(await ownerOf(store, 'contoso.com'), 'b')
    await registry.domains.move('contoso.com', 'b', 'root')
    await assertConsistent(store)
  })

  it('takes it to the other tenant with its flags', async () => {
    const site = await siteWith('a', 'b')
    const { registry, store } = site
    await registry.domains.add('a', [wide('contoso.com'), plain('contoso.net')], 'root')
    const changes = await site.changes()
    assert.deepEqual(await registry.domains.move('Contoso.COM.', 'b', 'anna'), { from: 'a' })
    await assertConsistent(store)
    assert.equal(await ownerOf(store, 'x.contoso.com'), 'b')
    assert.deepEqual(
      (await registry.domains.list('a')).map(({ domain }) => domain),
      ['contoso.net'],
    )
    const [moved] = await registry.domains.list('b')
    assert.deepEqual(
      [moved?.domain, moved?.subdomains, moved?.addedBy],
      ['contoso.com', true, 'anna'],
    )
    const told = async () => (await changes.read()).flatMap(({ tenant }) => tenant ?? [])
    // The new tenant has it before the old one loses it.
    assert.deepEqual(await told(), ['b', 'a'])
    assert.deepEqual(await registry.domains.move('contoso.com', 'b', 'anna'), { from: undefined })
    assert.equal((await told()).length, 2)
  })

  it('is refused for what nobody owns, and for what is shared', async () => {
    const { registry } = await siteWith('a', 'b')
    await registry.domains.add('a', [wide('a.example'), shared('p.local')], 'root')
    const nobody = await errorOf(registry.domains.move('b.example', 'b', 'root'))
    assert.ok(nobody instanceof NotFoundError)
    assert.match(nobody.message, /nobody owns b\.example: add it/)
    const below = await errorOf(registry.domains.move('x.a.example', 'b', 'root'))
    assert.ok(below instanceof NotFoundError)
    assert.match(below.message, /lies below one of a/)
    const notOwned = await errorOf(registry.domains.move('p.local', 'b', 'root'))
    assert.ok(notOwned instanceof RefusedError)
    assert.match(notOwned.message, /p\.local is shared.*add it to b.*remove it from a/)
  })

  it('is refused where two tenants would cover one name', async () => {
    const { registry, store } = await siteWith('a', 'b')
    await registry.domains.add(
      'a',
      [wide('a.example'), plain('x.a.example'), wide('x.y.example')],
      'root',
    )
    const down = await errorOf(registry.domains.move('a.example', 'b', 'root'))
    assert.match(down.message, /a also has x\.a\.example/)
    const up = await errorOf(registry.domains.move('x.a.example', 'b', 'root'))
    assert.match(up.message, /a also has a\.example/)
    for (const each of [down, up]) assert.ok(each instanceof RefusedError)
    assert.equal((await registry.domains.list('b')).length, 0)
    await assertConsistent(store)
    await registry.domains.remove('a', ['x.a.example'])
    await registry.domains.move('a.example', 'b', 'root')
    await registry.domains.move('x.y.example', 'b', 'root')
    await assertConsistent(store)
  })

  it('takes the place of a shared entry', async () => {
    const { registry, store } = await siteWith('a', 'b')
    await registry.domains.add('a', [plain('contoso.com')], 'root')
    await registry.domains.add('b', [shared('contoso.com')], 'root')
    await registry.domains.move('contoso.com', 'b', 'root')
    assert.equal((await registry.domains.list('b'))[0]?.shared, false)
    await assertConsistent(store)
  })

  for (const second of [
    'the same move',
    'a move to a third tenant',
    'a move back',
    'the removal of the new tenant',
  ]) {
    it(`that was cut short anywhere is completed before or by ${second}`, async () => {
      for (let commands = 1, killed = true; killed; commands++) {
        const site = await siteWith('a', 'b', 'c')
        const { registry, store } = site
        await registry.domains.add('a', [wide('contoso.com'), plain('a.example')], 'root')
        killed = await new Registries(site.connectUntil(commands)).domains
          .move('contoso.com', 'b', 'root')
          .then(
            () => false,
            () => true,
          )
        // At no moment do two own it, and always one of them has it.
        const holders = await Promise.all(['a', 'b'].map((id) => registry.domains.list(id)))
        assert.ok(holders.flat().some(({ domain }) => domain === 'contoso.com'))

        if (second === 'the removal of the new tenant') {
          await removeTenant(registry.store, 'b')
          const owner = await ownerOf(store, 'contoso.com')
          assert.ok(owner === 'a' || owner === undefined)
        } else {
          const to = { 'the same move': 'b', 'a move to a third tenant': 'c', 'a move back': 'a' }[
            second
          ]!
          await registry.domains.move('contoso.com', to, 'root')
          assert.equal(await ownerOf(store, 'x.contoso.com'), to)
          for (const id of ['a', 'b', 'c']) {
            const has = (await registry.domains.list(id)).some(
              ({ domain }) => domain === 'contoso.com',
            )
            assert.equal(has, id === to)
          }
        }
        await assertConsistent(store)
      }
    })
  }

  it('races with other moves, additions and removals, and one has it in the end', async () => {
    const site = await siteWith('a', 'b', 'c')
    const [one, two, three] = [1, 2, 3].map(() => new Registries(site.connect()))
    for (let round = 0; round < 40; round++) {
      await site.registry.domains.add('a', [plain('contoso.com')], 'root')
      const moves = await Promise.allSettled([
        one!.domains.move('contoso.com', 'b', 'root'),
        two!.domains.move('contoso.com', 'c', 'root'),
        three!.domains.add('c', [plain('x.contoso.com')], 'root'),
      ])
      for (const move of moves) assert.equal(move.status, 'fulfilled')
      await assertConsistent(site.store)
      const owner = await ownerOf(site.store, 'contoso.com')
      assert.ok(owner === 'b' || owner === 'c')
      await site.registry.domains.remove(owner, ['contoso.com'])
      await site.registry.domains.remove('c', ['x.contoso.com'])
    }
  })
})

describe('random names, tenants and operators', () => {
  const TENANTS = ['a', 'b', 'c']
  const tenant = fc.constantFrom(...TENANTS)
  // A small tree, so that names meet.
  const domain = fc
    .array(fc.constantFrom('x', 'y'), { maxLength: 3 })
    .map((labels) => [...labels, 'z', 'example'].join('.'))
  const flags = fc.constantFrom(plain, plain, wide, wide, shared)
  const entry = fc.tuple(flags, domain).map(([flag, name]) => flag(name))
  const operation = fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      tenant,
      entries: fc.array(entry, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant('put' as const),
      tenant,
      entries: fc.array(entry, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('remove' as const), tenant, domain }),
    fc.record({ kind: fc.constant('move' as const), tenant, domain }),
  )
  type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

  async function perform(registry: Registries, operation: Operation): Promise<'done' | 'refused'> {
    const { kind, tenant } = operation
    try {
      if (kind === 'add') await registry.domains.add(tenant, operation.entries, 'root')
      else if (kind === 'put') await registry.domains.put(tenant, operation.entries, 'root')
      else if (kind === 'remove') await registry.domains.remove(tenant, [operation.domain])
      else await registry.domains.move(operation.domain, tenant, 'root')
      return 'done'
    } catch (error) {
      assert.ok(
        error instanceof Error && error.constructor.name.match(/^(Input|NotFound|Refused)Error$/),
        String(error),
      )
      return 'refused'
    }
  }

  /** What must come out, written as plainly as can be. */
  class Model {
    readonly lists = new Map(TENANTS.map((id) => [id, new Map<string, DomainEntry>()]))

    perform(operation: Operation): 'done' | 'refused' {
      const list = this.lists.get(operation.tenant)!
      if (operation.kind === 'remove') return list.delete(operation.domain) ? 'done' : 'refused'
      if (operation.kind === 'move') return this.move(operation.domain, operation.tenant)
      const batch = new Map<string, DomainEntry>()
      for (const each of operation.entries) {
        const earlier =
          batch.get(each.domain) ?? (operation.kind === 'add' ? list.get(each.domain) : undefined)
        if (earlier && (earlier.subdomains !== each.subdomains || earlier.shared !== each.shared))
          return 'refused'
        if (batch.has(each.domain)) continue
        batch.set(each.domain, each)
      }
      for (const each of batch.values()) if (this.collides(operation.tenant, each)) return 'refused'
      for (const each of batch.values()) list.set(each.domain, each)
      return 'done'
    }

    private move(domain: string, to: string): 'done' | 'refused' {
      const from = TENANTS.find((id) => this.lists.get(id)!.get(domain)?.shared === false)
      if (from === undefined) return 'refused'
      const entry = this.lists.get(from)!.get(domain)!
      if (from === to) return 'done'
      this.lists.get(from)!.delete(domain)
      if (this.collides(to, entry)) {
        this.lists.get(from)!.set(domain, entry)
        return 'refused'
      }
      this.lists.get(to)!.set(domain, entry)
      return 'done'
    }

    private collides(tenant: string, entry: DomainEntry): boolean {
      if (entry.shared) return false
      return [...this.lists].some(
        ([id, list]) =>
          id !== tenant && [...list.values()].some((other) => !other.shared && meet(entry, other)),
      )
    }
  }

  function meet(a: DomainEntry, b: DomainEntry): boolean {
    const covers = (above: DomainEntry, below: DomainEntry): boolean =>
      above.subdomains && parentsOf(below.domain).includes(above.domain)
    return a.domain === b.domain || covers(a, b) || covers(b, a)
  }

  async function listsOf({ registry }: Site): Promise<Map<string, DomainEntry[]>> {
    const lists = new Map<string, DomainEntry[]>()
    for (const id of TENANTS) {
      const list = await registry.domains.list(id)
      lists.set(
        id,
        list.map(({ domain, subdomains, shared }) => ({ domain, subdomains, shared })),
      )
    }
    return lists
  }

  const sorted = (list: Iterable<DomainEntry>): DomainEntry[] =>
    [...list].sort((a, b) => (a.domain < b.domain ? -1 : 1))

  it('one after the other end as in a plain model', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
        const site = await siteWith(...TENANTS)
        const model = new Model()
        for (const each of operations) {
          assert.equal(
            await perform(site.registry, each),
            model.perform(each),
            JSON.stringify(each),
          )
        }
        const lists = await listsOf(site)
        for (const [id, list] of model.lists) assert.deepEqual(lists.get(id), sorted(list.values()))
        await assertConsistent(site.store)
      }),
      { numRuns: 60 },
    )
  })

  it('at the same time never make two tenants own one name', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { minLength: 1, maxLength: 8 }), {
          minLength: 2,
          maxLength: 4,
        }),
        async (operators) => {
          const site = await siteWith(...TENANTS)
          await Promise.all(
            operators.map(async (operations) => {
              const registry = new Registries(site.connect())
              for (const each of operations) await perform(registry, each)
            }),
          )
          await assertConsistent(site.store)
          const owned = [...(await listsOf(site))].flatMap(([id, list]) =>
            list.filter((each) => !each.shared).map((each) => ({ ...each, id })),
          )
          for (const a of owned) for (const b of owned) assert.ok(a.id === b.id || !meet(a, b))
        },
      ),
      { numRuns: 60 },
    )
  })
})
