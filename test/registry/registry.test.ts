import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InputError, NotFoundError, RefusedError } from '../../src/base/errors'
import { Restrictions } from '../../src/allowance/restriction'
import { Registries } from '../support/registries'
import { assertConsistent, errorOf, newSite, useRedis, type Site } from '../support/registry'
import { removeTenant } from '../../src/registry/tenant-removal'

const plain = (domain: string) => ({ domain, subdomains: false, shared: false })
const withSubdomains = (domain: string) => ({ domain, subdomains: true, shared: false })
const shared = (domain: string) => ({ domain, subdomains: false, shared: true })

useRedis()

async function tokens({ store }: Site, tenant: string) {
  const [state, domains] = await store.client.hmget(store.keys.tenant(tenant), 'state', 'domains')
  return { state, domains }
}

describe('tenants', () => {
  it('are added once, and again without a change', async () => {
    const site = newSite()
    const { registry } = site
    const settings = { name: 'Contoso Ltd', limits: '300/1h,1500/1d', mode: 'monitor' } as const
    assert.equal(await registry.tenants.add('contoso', settings, 'root'), 'added')
    const first = await tokens(site, 'contoso')
    assert.equal(await registry.tenants.add('contoso', settings, 'anna'), 'unchanged')
    assert.deepEqual(await tokens(site, 'contoso'), first)

    const tenant = await registry.tenants.get('contoso')
    assert.ok(tenant && Math.abs(tenant.createdAt - Date.now()) < 60_000)
    assert.deepEqual(tenant, {
      id: 'contoso',
      name: 'Contoso Ltd',
      mode: 'monitor',
      limits: '300/1h, 1500/1d',
      nullLimits: undefined,
      forwardedLimits: undefined,
      temporaryLimits: undefined,
      temporaryNullLimits: undefined,
      temporaryForwardedLimits: undefined,
      contact: undefined,
      source: 'root',
      createdAt: tenant.createdAt,
    })
  })

  it('are refused with other settings, naming them', async () => {
    const { registry } = newSite()
    await registry.tenants.add('contoso', { limits: '300/1h' }, 'root')
    const error = await errorOf(registry.tenants.add('contoso', {}, 'root'))
    assert.ok(error instanceof RefusedError)
    assert.match(error.message, /limits "300\/1h", not "default".*tenant set contoso/)
  })

  it('take the id for a name', async () => {
    const { registry } = newSite()
    await registry.tenants.add('contoso', {}, 'root')
    assert.equal((await registry.tenants.get('contoso'))?.name, 'contoso')
  })

  it('are set in part, and back to the default', async () => {
    const site = newSite()
    const { registry } = site
    await registry.tenants.add('contoso', { name: 'Contoso', limits: '1/1h' }, 'root')
    const before = await tokens(site, 'contoso')
    assert.equal(
      await registry.tenants.set('contoso', { mode: 'off', nullLimits: '5/1m' }),
      'changed',
    )
    const after = await tokens(site, 'contoso')
    assert.notEqual(after.state, before.state)
    assert.equal(after.domains, before.domains)

    await registry.tenants.set('contoso', { name: null, mode: null, limits: null })
    const { name, mode, limits, nullLimits, source } = (await registry.tenants.get('contoso'))!
    assert.deepEqual(
      [name, mode, limits, nullLimits, source],
      ['contoso', undefined, undefined, '5/1m', 'root'],
    )
    assert.equal(await registry.tenants.set('contoso', { limits: null }), 'unchanged')
  })

  it('are announced with their new token', async () => {
    const site = newSite()
    const changes = await site.changes()
    await site.registry.tenants.add('contoso', {}, 'root')
    const added = await tokens(site, 'contoso')
    await site.registry.tenants.set('contoso', { mode: 'off' })
    const set = await tokens(site, 'contoso')
    assert.deepEqual(await changes.read(), [
      {
        ...{ tenant: 'contoso', token: added.state, about: 'settings' },
        settings: {
          ...{ name: 'contoso', source: 'root' },
          tenant: await site.store.client.hget(site.store.keys.tenant('contoso'), 'createdAt'),
        },
      },
      {
        ...{ tenant: 'contoso', token: set.state, about: 'settings' },
        settings: { mode: 'off' },
      },
    ])
  })

  it('with a bad id, setting or operator are refused', async () => {
    const { registry } = newSite()
    const refused = [
      () => registry.tenants.add('Contoso', {}, 'root'),
      () => registry.tenants.add('@tenants', {}, 'root'),
      () => registry.tenants.add('contoso', { limits: 'many' }, 'root'),
      () => registry.tenants.add('contoso', { mode: 'on' as 'off' }, 'root'),
      () => registry.tenants.add('contoso', { name: 'a\nb' }, 'root'),
      () => registry.tenants.get('@connectors'),
      () => removeTenant(registry.store, '@connectors'),
    ]
    for (const each of refused)
      assert.ok((await errorOf(each())) instanceof InputError, String(each))
  })

  it('that are not there are named', async () => {
    const { registry } = newSite()
    assert.equal(await registry.tenants.get('fabrikam'), undefined)
    const refused = [
      () => registry.tenants.set('fabrikam', {}),
      () => removeTenant(registry.store, 'fabrikam'),
      () => registry.domains.add('fabrikam', [plain('fabrikam.com')], 'root'),
      () => registry.domains.remove('fabrikam', ['fabrikam.com']),
      () => registry.domains.move('fabrikam.com', 'fabrikam', 'root'),
      () => registry.domains.list('fabrikam'),
      () => registry.connectors.add('fabrikam', 'hq', { ip: ['192.0.2.1'] }, 'root'),
      () => registry.connectors.list('fabrikam'),
    ]
    for (const each of refused) {
      const error = await errorOf(each())
      assert.ok(error instanceof NotFoundError)
      assert.match(error.message, /there is no tenant "fabrikam"/)
    }
  })

  it('are listed by id, however many', async () => {
    const { registry, store } = newSite()
    for (const id of ['b', 'c', 'a']) await registry.tenants.add(id, {}, 'root')
    await store.client.sadd(store.keys.tenants, 'gone')
    assert.deepEqual(
      (await registry.tenants.list()).map(({ id }) => id),
      ['a', 'b', 'c'],
    )

    const many = newSite()
    const ids = Array.from({ length: 1200 }, (_, at) => `t${at}`)
    await Promise.all(ids.map((id) => many.registry.tenants.add(id, {}, 'root')))
    assert.deepEqual(
      (await many.registry.tenants.list()).map(({ id }) => id),
      [...ids].sort(),
    )
  })
})

describe('the removal of a tenant', () => {
  async function fullSite(): Promise<Site> {
    const site = newSite()
    const { registry, store } = site
    for (const id of ['contoso', 'fabrikam']) await registry.tenants.add(id, {}, 'root')
    await registry.domains.add(
      'contoso',
      [plain('contoso.com'), withSubdomains('contoso.net'), shared('a.local')],
      'root',
    )
    await registry.domains.add('fabrikam', [plain('fabrikam.com')], 'root')
    await registry.connectors.add(
      'contoso',
      'hq',
      { ip: ['192.0.2.1'], auth: ['*@contoso.com'] },
      'root',
    )
    await registry.connectors.add('contoso', 'branch', { ip: ['192.0.2.2'] }, 'root')
    await registry.connectors.add('fabrikam', 'hq', { ip: ['198.51.100.1'] }, 'root')
    await store.client.hset(store.keys.usage('contoso'), 'u3600000', 'x')
    return site
  }

  const allKeys = async ({ store }: Site) =>
    (await store.client.keys(`${store.keys.prefix}*`)).sort()

  it('takes all that it has, and nothing of others', async () => {
    const site = await fullSite()
    const { registry, store } = site
    const changes = await site.changes()
    await removeTenant(registry.store, 'contoso')
    await assertConsistent(store)
    const { keys } = store
    assert.deepEqual(
      await allKeys(site),
      [
        keys.tenants,
        keys.tenant('fabrikam'),
        keys.domains('fabrikam'),
        keys.ownerNames,
        keys.ownerIndex,
        keys.ownerVersion,
        keys.connectors,
        keys.connectorsToken,
        keys.connectorIdentities,
        keys.audit('contoso'),
        keys.audit('fabrikam'),
        keys.tenantsAudit,
        keys.connectorsAudit,
      ].sort(),
    )
    assert.deepEqual(await store.client.hgetall(keys.ownerNames), { 'fabrikam.com': '- fabrikam' })
    assert.deepEqual(await store.client.hgetall(keys.connectorIdentities), {
      'ip:198.51.100.1/32': 'fabrikam/hq',
    })
    const [tenant, connectors] = await changes.read()
    assert.equal(tenant?.['tenant'], 'contoso')
    assert.deepEqual((connectors?.['changed'] as string[]).sort(), ['contoso/branch', 'contoso/hq'])
    assert.ok((await errorOf(removeTenant(registry.store, 'contoso'))) instanceof NotFoundError)
  })

  it('is refused while it is restricted', async () => {
    const site = await fullSite()
    await new Restrictions(site.store).place('contoso', {
      scope: 'unregistered',
      by: 'root',
      reason: 'test',
    })
    const before = await allKeys(site)
    const error = await errorOf(removeTenant(site.registry.store, 'contoso'))
    assert.ok(error instanceof RefusedError)
    assert.match(error.message, /restricted.*unblock contoso/)
    assert.deepEqual(await allKeys(site), before)
    assert.equal((await site.registry.domains.list('contoso')).length, 3)
  })

  it('is finished by running it again, wherever it was cut short', async () => {
    for (let commands = 1, killed = true; killed; commands++) {
      const site = await fullSite()
      killed = await removeTenant(site.connectUntil(commands), 'contoso').then(
        () => false,
        () => true,
      )
      if (killed)
        await removeTenant(site.registry.store, 'contoso').catch((error: unknown) => {
          // All was done but the last look.
          assert.ok(error instanceof NotFoundError)
        })
      await assertConsistent(site.store)
      assert.equal(await site.registry.tenants.get('contoso'), undefined)
      assert.equal((await site.registry.connectors.list()).length, 1)
      await site.registry.domains.add('fabrikam', [plain('contoso.com')], 'root')
    }
  })

  it('leaves a tenant that somebody adds meanwhile whole', async () => {
    for (let round = 0; round < 20; round++) {
      const site = newSite()
      await site.registry.tenants.add('contoso', {}, 'root')
      await site.registry.domains.add('contoso', [plain('contoso.com')], 'root')
      const other = new Registries(site.connect())
      const again = async () => {
        await other.tenants.add('contoso', {}, 'root')
        await other.domains.add('contoso', [plain('contoso.com'), plain('contoso.net')], 'root')
      }
      const [removed, added] = await Promise.allSettled([
        removeTenant(site.registry.store, 'contoso'),
        again(),
      ])
      assert.equal(removed.status, 'fulfilled')
      if (added.status === 'rejected') assert.ok(added.reason instanceof NotFoundError)
      await assertConsistent(site.store)
    }
  })
})

describe('accepted domains', () => {
  async function siteWith(...ids: string[]): Promise<Site> {
    const site = newSite()
    for (const id of ids) await site.registry.tenants.add(id, {}, 'root')
    return site
  }

  it('are added in their one spelling, once', async () => {
    const site = await siteWith('contoso')
    const { registry } = site
    const before = await tokens(site, 'contoso')
    const batch = [
      plain('Contoso.COM.'),
      withSubdomains('bücher.example'),
      shared('printer.local'),
      plain('contoso.com'),
    ]
    assert.deepEqual(await registry.domains.add('contoso', batch, 'root user'), {
      added: ['contoso.com', 'xn--bcher-kva.example', 'printer.local'],
      unchanged: [],
    })
    const after = await tokens(site, 'contoso')
    assert.equal(after.state, before.state)
    assert.notEqual(after.domains, before.domains)

    const listed = await registry.domains.list('contoso')
    assert.deepEqual(
      listed.map(({ domain, subdomains, shared, addedBy }) => [
        domain,
        subdomains,
        shared,
        addedBy,
      ]),
      [
        ['contoso.com', false, false, 'root user'],
        ['printer.local', false, true, 'root user'],
        ['xn--bcher-kva.example', true, false, 'root user'],
      ],
    )
    for (const { addedAt } of listed) assert.ok(Math.abs(addedAt - Date.now()) < 60_000)

    const changes = await site.changes()
    const again = await registry.domains.add('contoso', [plain('contoso.com')], 'anna')
    assert.deepEqual(again, { added: [], unchanged: ['contoso.com'] })
    assert.deepEqual(await tokens(site, 'contoso'), after)
    assert.deepEqual(await changes.read(), [])
    await assertConsistent(site.store)
  })

  it('with other flags than before are refused, saying how to change them', async () => {
    const { registry, store } = await siteWith('contoso')
    await registry.domains.add('contoso', [plain('contoso.com')], 'root')
    for (const [other, how] of [
      [withSubdomains('contoso.com'), 'domain set contoso contoso.com --subdomains'],
      [shared('contoso.com'), 'domain remove contoso contoso.com) and add it again'],
    ] as const) {
      const error = await errorOf(
        registry.domains.add('contoso', [plain('new.example'), other], 'root'),
      )
      assert.ok(error instanceof RefusedError)
      const start = 'contoso.com is registered for contoso without --subdomains: '
      assert.ok(error.message.startsWith(start) && error.message.endsWith(how), error.message)
    }
    const twice = await errorOf(
      registry.domains.add('contoso', [plain('a.example'), shared('a.example')], 'root'),
    )
    assert.ok(twice instanceof InputError)
    assert.equal((await registry.domains.list('contoso')).length, 1)
    await assertConsistent(store)
  })

  it('are all added, or none', async () => {
    const { registry, store } = await siteWith('contoso', 'fabrikam')
    await registry.domains.add('fabrikam', [plain('fabrikam.com')], 'root')
    const bad = await errorOf(
      registry.domains.add('contoso', [plain('contoso.com'), plain('co.uk')], 'root'),
    )
    assert.ok(bad instanceof InputError)
    const owned = await errorOf(
      registry.domains.add('contoso', [plain('contoso.com'), plain('fabrikam.com')], 'root'),
    )
    assert.ok(owned instanceof RefusedError)
    assert.match(owned.message, /fabrikam\.com belongs to fabrikam/)
    assert.deepEqual(await registry.domains.list('contoso'), [])
    await assertConsistent(store)
  })

  it('change their flags in place for the tenants file', async () => {
    const { registry, store } = await siteWith('contoso', 'fabrikam')
    const { domains } = registry
    await domains.put('contoso', [plain('contoso.com'), withSubdomains('contoso.net')], 'root')
    const [first] = await registry.domains.list('contoso')
    const changed = [withSubdomains('contoso.com'), shared('contoso.net')]
    assert.deepEqual(await domains.put('contoso', changed, 'file:a'), {
      added: [],
      updated: ['contoso.com', 'contoso.net'],
      unchanged: [],
    })
    const [now] = await registry.domains.list('contoso')
    assert.deepEqual(now, { ...first, subdomains: true, addedBy: 'file:a' })
    await assertConsistent(store)
    assert.ok(
      (await errorOf(registry.domains.add('fabrikam', [plain('x.contoso.com')], 'root'))) instanceof
        RefusedError,
    )
    await registry.domains.add('fabrikam', [plain('contoso.net')], 'root')

    await domains.put('contoso', [plain('contoso.com')], 'file:a')
    await registry.domains.add('fabrikam', [plain('x.contoso.com')], 'root')
    assert.ok(
      (await errorOf(domains.put('contoso', [withSubdomains('contoso.com')], 'file:a'))) instanceof
        RefusedError,
    )
    await assertConsistent(store)
  })

  it('are all removed, or none', async () => {
    const { registry, store } = await siteWith('contoso', 'fabrikam')
    await registry.domains.add(
      'contoso',
      [plain('contoso.com'), plain('contoso.net'), shared('a.local')],
      'root',
    )
    const error = await errorOf(registry.domains.remove('contoso', ['contoso.com', 'contoso.org']))
    assert.ok(error instanceof NotFoundError)
    assert.match(error.message, /contoso\.org/)
    assert.equal((await registry.domains.list('contoso')).length, 3)

    await registry.domains.remove('contoso', ['CONTOSO.com', 'a.local', 'contoso.com'])
    assert.deepEqual(
      (await registry.domains.list('contoso')).map(({ domain }) => domain),
      ['contoso.net'],
    )
    await registry.domains.add('fabrikam', [plain('contoso.com')], 'root')
    await assertConsistent(store)
  })

  it('come in tens of thousands, in small pieces, and all or none', async () => {
    const { registry, store } = await siteWith('contoso', 'fabrikam')
    const many = Array.from({ length: 20_000 }, (_, at) => plain(`d${at}.example`))
    await registry.domains.add('fabrikam', [plain('d19999.example')], 'root')
    assert.ok(
      (await errorOf(registry.domains.add('contoso', many, 'root'))) instanceof RefusedError,
    )
    assert.deepEqual(await registry.domains.list('contoso'), [])
    assert.equal(await store.client.hlen(store.keys.ownerNames), 1)

    await registry.domains.remove('fabrikam', ['d19999.example'])
    await store.client.config('RESETSTAT')
    assert.equal((await registry.domains.add('contoso', many, 'root')).added.length, many.length)
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await store.client.info('commandstats'))?.[1]
    assert.ok(Number(calls) >= (3 * many.length) / 500)
    assert.equal((await registry.domains.list('contoso')).length, many.length)
    assert.equal(await store.client.hlen(store.keys.ownerNames), many.length)
    await assertConsistent(store)
    await removeTenant(registry.store, 'contoso')
    assert.equal(await store.client.hlen(store.keys.ownerNames), 0)
  })
})
