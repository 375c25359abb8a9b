import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { InputError, NotFoundError, RefusedError } from '../../src/base/errors'
import { normalizeIdentities } from '../../src/mail/identities'
import { Registries } from '../support/registries'
import type { Identities } from '../../src/mail/tenant'
import { assertConsistent, errorOf, newSite, useRedis, type Site } from '../support/registry'
import { identityFields } from '../../src/registry/formats'
import { readTenantAudit } from '../../src/audit/reader'
import { removeTenant } from '../../src/registry/tenant-removal'

useRedis()

async function siteWith(...ids: string[]): Promise<Site> {
  const site = newSite()
  for (const id of ids) await site.registry.tenants.add(id, {}, 'root')
  return site
}

const none = { ip: [], cert: [], certSha256: [], auth: [] }

describe('connectors', () => {
  it('are added in their canonical form, once', async () => {
    const { registry, store } = await siteWith('contoso')
    const identities = {
      ip: ['192.0.2.1', '2001:DB8::/32'],
      auth: ['*@Contoso.com'],
      cert: ['*.Contoso.com'],
    }
    assert.equal(await registry.connectors.add('contoso', 'hq', identities, 'root'), 'added')
    const connector = await registry.connectors.get('contoso', 'hq')
    assert.ok(connector && Math.abs(connector.addedAt - Date.now()) < 60_000)
    assert.deepEqual(connector, {
      tenant: 'contoso',
      name: 'hq',
      ip: ['192.0.2.1/32', '2001:db8::/32'],
      cert: ['*.contoso.com'],
      certSha256: [],
      auth: ['*@contoso.com'],
      enabled: true,
      addedAt: connector.addedAt,
      addedBy: 'root',
    })
    const token = await store.client.get(store.keys.connectorsToken)
    assert.equal(await registry.connectors.add('contoso', 'hq', identities, 'anna'), 'unchanged')
    assert.equal(await store.client.get(store.keys.connectorsToken), token)
    await assertConsistent(store)
  })

  it('know when they were changed: their identities, or whether they are enabled', async () => {
    const { registry } = await siteWith('contoso')
    const changedAt = async (): Promise<number | undefined> =>
      (await registry.connectors.get('contoso', 'hq'))?.changedAt
    await registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.1'] }, 'root')
    assert.equal(await changedAt(), undefined)
    await registry.connectors.setEnabled('contoso', 'hq', true)
    assert.equal(await changedAt(), undefined)
    await registry.connectors.setEnabled('contoso', 'hq', false)
    const disabled = (await changedAt())!
    assert.ok(Math.abs(disabled - Date.now()) < 60_000)

    const put = async (...ip: string[]): Promise<void> =>
      registry.connectors.put(
        'contoso',
        [{ name: 'hq', identities: normalizeIdentities({ ip }) }],
        'x',
      )
    await put('192.0.2.1')
    assert.equal(await changedAt(), disabled, 'whose it is does not matter')
    await put('192.0.2.1', '192.0.2.2')
    const edited = (await changedAt())!
    assert.ok(edited >= disabled)
    const connector = (await registry.connectors.get('contoso', 'hq'))!
    await registry.connectors.setEnabled('contoso', 'hq', true)
    await registry.connectors.restore([connector])
    assert.deepEqual(await registry.connectors.get('contoso', 'hq'), connector)
  })

  it('with other identities than before are refused', async () => {
    const { registry } = await siteWith('contoso')
    await registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.1'] }, 'root')
    const error = await errorOf(
      registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.2'] }, 'root'),
    )
    assert.ok(error instanceof RefusedError)
    assert.match(
      error.message,
      /contoso\/hq exists with ip 192\.0\.2\.1\/32.*connector set contoso hq/,
    )
  })

  it('get and lose identities in one change, and keep the rest', async () => {
    const site = await siteWith('contoso')
    const { registry, store } = site
    await registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.1'], auth: ['ann'] }, 'root')
    await registry.connectors.block('contoso', 'hq', { by: 'bob', reason: 'taken over' })
    const before = (await registry.connectors.get('contoso', 'hq'))!
    const heard = await site.changes()
    const change = { add: { ip: ['198.51.100.7', '192.0.2.1'] }, remove: { cert: ['x.example'] } }
    assert.deepEqual(await registry.connectors.setIdentities('contoso', 'hq', change), {
      was: before,
      now: { ...none, ip: ['192.0.2.1/32', '198.51.100.7/32'], auth: ['ann'] },
    })
    const after = (await registry.connectors.get('contoso', 'hq'))!
    assert.deepEqual(after, {
      ...before,
      ip: ['192.0.2.1/32', '198.51.100.7/32'],
      changedAt: after.changedAt,
    })
    assert.ok(after.changedAt)
    assert.equal((await heard.read()).length, 1)

    const { was, now } = await registry.connectors.setIdentities('contoso', 'hq', change)
    assert.deepEqual(identityFields(was), identityFields(now))
    assert.equal((await heard.read()).length, 1, 'nothing has changed, and nothing is announced')
    const blocked = await errorOf(
      registry.connectors.setIdentities('contoso', 'hq', { add: {}, remove: { auth: ['ann'] } }),
    )
    assert.match(blocked.message, /contoso\/hq is blocked.*connector unblock contoso hq/)
    await assertConsistent(store)
  })

  it('swap an identity for another without a moment in which neither is theirs', async () => {
    const site = await siteWith('contoso', 'fabrikam')
    const { registry, store } = site
    await registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.1'] }, 'root')
    // Another one changes it between reading and writing.
    const interrupted = site.connectBefore('connectors_write', async () => {
      const change = { add: { auth: ['ann'] }, remove: {} }
      await registry.connectors.setIdentities('contoso', 'hq', change)
    })
    const swap = { add: { ip: ['192.0.2.2'] }, remove: { ip: ['192.0.2.1/32'] } }
    const { was, now } = await new Registries(interrupted).connectors.setIdentities(
      'contoso',
      'hq',
      swap,
    )
    assert.deepEqual([was, now].map(identityFields), [
      ['ip:192.0.2.1/32', 'auth:ann'],
      ['ip:192.0.2.2/32', 'auth:ann'],
    ])
    assert.equal(
      await registry.connectors.add('fabrikam', 'x', { ip: ['192.0.2.1'] }, 'x'),
      'added',
    )
    const taken = await errorOf(
      registry.connectors.setIdentities('contoso', 'hq', {
        add: { ip: ['192.0.2.1'] },
        remove: { ip: ['192.0.2.2'] },
      }),
    )
    assert.ok(taken instanceof RefusedError)
    assert.match(
      taken.message,
      /fabrikam\/x: .*\(tenantctl connector set fabrikam x --remove-ip 192\.0\.2\.1\/32\)$/,
    )
    const kept = (await registry.connectors.get('contoso', 'hq'))!
    assert.deepEqual(identityFields(kept), ['ip:192.0.2.2/32', 'auth:ann'])
    await assertConsistent(store)
  })

  it('are not set to nothing, to a bad identity, or to one that is added and removed', async () => {
    const { registry } = await siteWith('contoso')
    await registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.1'] }, 'root')
    const set = (ip: string[], remove: string[], name = 'hq'): Promise<Error> =>
      errorOf(
        registry.connectors.setIdentities('contoso', name, { add: { ip }, remove: { ip: remove } }),
      )
    const empty = await set([], ['192.0.2.1'])
    assert.ok(empty instanceof RefusedError)
    assert.match(empty.message, /no identity left.*connector remove contoso hq/)
    assert.ok((await set(['0.0.0.0/0'], [])) instanceof InputError)
    assert.ok((await set(['192.0.2.2'], ['192.0.2.2/32'])) instanceof InputError)
    assert.ok((await set(['192.0.2.2'], [], 'edge')) instanceof NotFoundError)
    const kept = (await registry.connectors.get('contoso', 'hq'))!
    assert.deepEqual(identityFields(kept), ['ip:192.0.2.1/32'])
  })

  it('name in the audit trail what they got and lost, however many identities they have', async () => {
    const { registry, store } = await siteWith('contoso')
    const many = Array.from({ length: 30 }, (_, at) => `192.0.2.${at}`)
    await registry.connectors.add('contoso', 'hq', { ip: many }, 'root')
    const change = { add: { ip: ['203.0.113.9'] }, remove: { ip: ['192.0.2.5'] } }
    await registry.connectors.setIdentities('contoso', 'hq', change)
    const entry = (await readTenantAudit(store, 'contoso', 0)).at(-1)
    assert.match(entry!.from, /^ip 192\.0\.2\.5\/32, .* and 10 more; enabled; by root$/)
    assert.match(entry!.to, /^ip 203\.0\.113\.9\/32, .* and 10 more; enabled; by root$/)
  })

  it('must have an identity, a good one, and a name', async () => {
    const { registry } = await siteWith('contoso')
    const refused = [
      registry.connectors.add('contoso', 'hq', {}, 'root'),
      registry.connectors.add('contoso', 'hq', { ip: ['0.0.0.0/0'] }, 'root'),
      registry.connectors.add('contoso', 'a/b', { ip: ['192.0.2.1'] }, 'root'),
    ]
    for (const each of await Promise.all(refused.map(errorOf)))
      assert.ok(each instanceof InputError)
    assert.deepEqual(await registry.connectors.list(), [])
  })

  it('never share an identity, and name who has it', async () => {
    const { registry, store } = await siteWith('contoso', 'fabrikam')
    const sha256 = 'ab'.repeat(32)
    const identities = {
      ip: ['192.0.2.0/24'],
      cert: ['mx.contoso.com'],
      certSha256: [sha256],
      auth: ['alice'],
    }
    await registry.connectors.add('contoso', 'hq', identities, 'root')
    const doubled: [Partial<Identities>, RegExp][] = [
      [
        { ip: ['192.0.2.0/24'] },
        /ip 192\.0\.2\.0\/24 of connector fabrikam\/hq belongs to connector contoso\/hq/,
      ],
      [{ cert: ['MX.contoso.com'] }, /cert mx\.contoso\.com/],
      [{ certSha256: [sha256.toUpperCase()] }, /sha256 abab/],
      [{ ip: ['198.51.100.1'], auth: ['Alice'] }, /auth alice/],
    ]
    for (const [each, message] of doubled) {
      const error = await errorOf(registry.connectors.add('fabrikam', 'hq', each, 'root'))
      assert.ok(error instanceof RefusedError)
      assert.match(error.message, message)
      await assert.rejects(registry.connectors.add('contoso', 'other', each, 'root'), RefusedError)
    }
    // A longer prefix is another identity.
    await registry.connectors.add('fabrikam', 'hq', { ip: ['192.0.2.1'] }, 'root')
    await registry.connectors.remove('contoso', 'hq')
    await registry.connectors.add('fabrikam', 'all', identities, 'root')
    await assertConsistent(store)
  })

  it('take an identity that the table gives to a connector that is gone', async () => {
    const { registry, store } = await siteWith('contoso')
    await store.client.hset(store.keys.connectorIdentities, 'ip:192.0.2.1/32', 'gone/hq')
    await registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.1'] }, 'root')
    await assertConsistent(store)
  })

  it('are listed by id, all or those of a tenant', async () => {
    const { registry } = await siteWith('b', 'a', 'a-b')
    await registry.connectors.add('b', 'hq', { ip: ['192.0.2.1'] }, 'root')
    await registry.connectors.add('a', 'two', { ip: ['192.0.2.2'] }, 'root')
    await registry.connectors.add('a', 'one', { ip: ['192.0.2.3'] }, 'root')
    await registry.connectors.add('a-b', 'hq', { ip: ['192.0.2.4'] }, 'root')
    const ids = async (tenant?: string) =>
      (await registry.connectors.list(tenant)).map(({ tenant, name }) => `${tenant}/${name}`)
    assert.deepEqual(await ids('a'), ['a/one', 'a/two'])
    assert.deepEqual((await ids()).sort(), ['a-b/hq', 'a/one', 'a/two', 'b/hq'])
  })

  it('are disabled, enabled and removed', async () => {
    const { registry, store } = await siteWith('contoso')
    await registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.1'] }, 'root')
    const now = async (): Promise<object> => ({
      ...(await registry.connectors.get('contoso', 'hq')),
      changedAt: undefined,
    })
    const before = await now()
    assert.equal(await registry.connectors.setEnabled('contoso', 'hq', false), 'changed')
    assert.equal(await registry.connectors.setEnabled('contoso', 'hq', false), 'unchanged')
    assert.deepEqual(await now(), { ...before, enabled: false })
    assert.equal(await registry.connectors.setEnabled('contoso', 'hq', true), 'changed')
    assert.deepEqual(await now(), before)
    await registry.connectors.remove('contoso', 'hq')
    assert.equal(await registry.connectors.get('contoso', 'hq'), undefined)
    for (const each of [
      () => registry.connectors.remove('contoso', 'hq'),
      () => registry.connectors.setEnabled('contoso', 'hq', true),
    ]) {
      const error = await errorOf(each())
      assert.ok(error instanceof NotFoundError)
      assert.match(error.message, /no connector "contoso\/hq"/)
    }
    await assertConsistent(store)
  })

  it('announce each change with the token before and after', async () => {
    const site = await siteWith('contoso')
    const { registry, store } = site
    const changes = await site.changes()
    const tokens: (string | null)[] = [null]
    const note = async () => void tokens.push(await store.client.get(store.keys.connectorsToken))
    await registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.1'] }, 'root')
    await note()
    await registry.connectors.setEnabled('contoso', 'hq', false)
    await note()
    await registry.connectors.remove('contoso', 'hq')
    await note()
    const expected = [1, 2, 3].map((at) => ({
      connectors: tokens[at],
      previous: tokens[at - 1],
      changed: ['contoso/hq'],
    }))
    assert.deepEqual(await changes.read(), expected)
  })

  it('are put in place in one script, and take from each other', async () => {
    const site = await siteWith('contoso')
    const { registry, store } = site
    await registry.connectors.add('contoso', 'a', { ip: ['192.0.2.1'] }, 'root')
    await registry.connectors.add('contoso', 'b', { ip: ['192.0.2.2'] }, 'root')
    await registry.connectors.add('contoso', 'c', { ip: ['192.0.2.3'] }, 'root')
    await registry.connectors.setEnabled('contoso', 'a', false)
    const changes = await site.changes()
    const puts = [
      { name: 'a', identities: { ...none, ip: ['192.0.2.2/32'] } },
      { name: 'b', identities: { ...none, ip: ['192.0.2.1/32', '192.0.2.3/32'] } },
    ]
    await registry.connectors.put('contoso', puts, 'file:x', ['c', 'unknown'])
    assert.equal((await changes.read()).length, 1)
    const state = (await registry.connectors.list()).map(({ name, ip, enabled, addedBy }) => [
      name,
      ip,
      enabled,
      addedBy,
    ])
    assert.deepEqual(state, [
      ['a', ['192.0.2.2/32'], false, 'file:x'],
      ['b', ['192.0.2.1/32', '192.0.2.3/32'], true, 'file:x'],
    ])
    await registry.connectors.put('contoso', puts, 'file:x', ['c'])
    assert.equal((await changes.read()).length, 1)
    const both = ['a', 'b'].map((name) => ({ name, identities: { ...none, auth: ['alice'] } }))
    await assert.rejects(registry.connectors.put('contoso', both, 'file:x'), RefusedError)
    await assertConsistent(store)
  })
})

describe('operators at once', () => {
  it('exactly one gets an identity, and every change of a connector counts', async () => {
    const site = await siteWith('a', 'b')
    const one = new Registries(site.connect())
    const two = new Registries(site.connect())
    for (let round = 0; round < 60; round++) {
      const add = [
        () => one.connectors.add('a', 'hq', { ip: ['192.0.2.1', '192.0.2.2'] }, 'root'),
        () => two.connectors.add('b', 'hq', { ip: ['192.0.2.2', '192.0.2.3'] }, 'root'),
      ]
      if (round % 2 === 1) add.reverse()
      const results = await Promise.allSettled(add.map((each) => each()))
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
      for (const each of results)
        if (each.status === 'rejected') assert.ok(each.reason instanceof RefusedError)
      await assertConsistent(site.store)
      const [winner] = await site.registry.connectors.list()
      await Promise.all([
        one.connectors.setEnabled(winner!.tenant, 'hq', false),
        two.connectors.put(
          winner!.tenant,
          [{ name: 'hq', identities: { ...none, auth: ['alice'] } }],
          'x',
        ),
      ])
      const [now] = await site.registry.connectors.list()
      assert.deepEqual([now?.enabled, now?.auth], [false, ['alice']])
      await site.registry.connectors.remove(winner!.tenant, 'hq')
    }
    await assertConsistent(site.store)
  })

  it('never leave a connector without its tenant', async () => {
    const site = await siteWith()
    const one = new Registries(site.connect())
    const two = new Registries(site.connect())
    for (let round = 0; round < 60; round++) {
      await site.registry.tenants.add('a', {}, 'root')
      const results = await Promise.allSettled([
        removeTenant(one.store, 'a'),
        two.connectors.add('a', 'hq', { ip: ['192.0.2.1'] }, 'root'),
      ])
      assert.equal(results[0].status, 'fulfilled')
      if (results[1].status === 'rejected') assert.ok(results[1].reason instanceof NotFoundError)
      await assertConsistent(site.store)
      assert.deepEqual(await site.registry.connectors.list(), [])
    }
  })
})

describe('random connectors', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const ips = fc.uniqueArray(
    fc.constantFrom('192.0.2.1/32', '192.0.2.2/32', '192.0.2.3/32', '192.0.2.4/32'),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), name, ips }),
    fc.record({ kind: fc.constant('put' as const), name, ips }),
    fc.record({ kind: fc.constant('set' as const), name, ips, gone: ips }),
    fc.record({ kind: fc.constant('remove' as const), name }),
  )
  type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

  const goneOf = ({ ips, gone }: { ips: string[]; gone: string[] }): string[] =>
    gone.filter((ip) => !ips.includes(ip))

  async function perform({ registry }: Site, each: Operation): Promise<boolean> {
    try {
      if (each.kind === 'add')
        await registry.connectors.add('t', each.name, { ip: each.ips }, 'root')
      else if (each.kind === 'remove') await registry.connectors.remove('t', each.name)
      else if (each.kind === 'set') {
        const change = { add: { ip: each.ips }, remove: { ip: goneOf(each) } }
        await registry.connectors.setIdentities('t', each.name, change)
      } else {
        const identities = { ...none, ip: [...each.ips].sort() }
        await registry.connectors.put('t', [{ name: each.name, identities }], 'root')
      }
      return true
    } catch (error) {
      assert.ok(error instanceof RefusedError || error instanceof NotFoundError, String(error))
      return false
    }
  }

  /** Writes into the model; `false`: refused. */
  function performIn(model: Map<string, string>, each: Operation): boolean {
    const had = model.get(each.name)
    if (each.kind === 'remove') return model.delete(each.name)
    if (each.kind === 'set' && had === undefined) return false
    const kept =
      each.kind === 'set' ? had!.split(',').filter((ip) => !goneOf(each).includes(ip)) : []
    const wanted = [...new Set([...kept, ...each.ips])].sort().join()
    if (each.kind === 'add' && had !== undefined) return had === wanted
    const others = [...model].filter(([other]) => other !== each.name)
    if (others.some(([, list]) => each.ips.some((ip) => list.split(',').includes(ip)))) return false
    model.set(each.name, wanted)
    return true
  }

  it('end as in a plain model', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 20 }), async (operations) => {
        const site = await siteWith('t')
        const model = new Map<string, string>()
        for (const each of operations) {
          assert.equal(await perform(site, each), performIn(model, each), JSON.stringify(each))
        }
        const listed = await site.registry.connectors.list()
        assert.deepEqual(
          new Map(listed.map(({ name, ip }) => [name, ip.join()])),
          new Map([...model].sort()),
        )
        await assertConsistent(site.store)
      }),
      { numRuns: 60 },
    )
  })
})
