import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parentsOf } from '../../src/names/domain'
import { Restrictions } from '../../src/allowance/restriction'
import { acceptedDomainOf, ownsDomain } from '../../src/directory/snapshot'
import { readSnapshot, type OwnSnapshot } from '../../src/directory/snapshot-reader'
import { interrupted } from '../support/interrupted'
import { acceptedDomains, snapshotWith } from '../support/judgement'
import { newSite, theRedis, useRedis, type Site } from '../support/registry'
import { removeTenant } from '../../src/registry/tenant-removal'
import { markOf } from '../../src/records/token'

useRedis()

const plain = (domain: string) => ({ domain, subdomains: false, shared: false })

async function read({ store }: Site, known?: OwnSnapshot): Promise<OwnSnapshot> {
  const snapshot = await readSnapshot(store, 'contoso', known)
  assert.ok(snapshot)
  return snapshot
}

/** A tenant with so many domains that they are read in pieces. */
async function siteWithMany(count: number): Promise<Site> {
  const site = newSite()
  await site.registry.tenants.add('contoso', {}, 'test')
  const { client, keys } = site.store
  const entries: Record<string, string> = {}
  for (let at = 0; at < count; at++) {
    entries[`d${at}.example`] = `${at % 2 ? 's' : '-'} 1764000000000 test`
  }
  await client.hset(keys.domains('contoso'), entries)
  return site
}

describe('a snapshot', () => {
  it('holds what a process must know of a tenant', async () => {
    const site = newSite()
    const { registry, store } = site
    await registry.tenants.add('contoso', { mode: 'monitor', limits: '5/1h' }, 'test')
    await registry.domains.add(
      'contoso',
      [
        { domain: 'contoso.com', subdomains: true, shared: false },
        plain('contoso.net'),
        { domain: 'tickets.local', subdomains: true, shared: true },
        { domain: 'agency.example', subdomains: false, shared: true },
      ],
      'a name with spaces',
    )
    const [domainsToken, stateToken, created] = await store.client.hmget(
      store.keys.tenant('contoso'),
      ...['domains', 'state', 'createdAt'],
    )
    assert.deepEqual(await read(site), {
      tenant: 'contoso',
      domainsToken,
      stateToken,
      created,
      standing: {
        ...{ created, restriction: undefined, liftedAt: 0 },
        mark: markOf(domainsToken, stateToken),
      },
      settings: { name: 'contoso', mode: 'monitor', limits: '5/1h', source: 'test' },
      mode: 'monitor',
      restricted: undefined,
      restrictedBy: '',
      case: '',
      forwards: false,
      domains: acceptedDomains({
        'contoso.com': 's',
        'contoso.net': '-',
        'tickets.local': 'sh',
        'agency.example': 'h',
      }),
    })
  })

  it('is nothing where there is no such tenant', async () => {
    assert.equal(await readSnapshot(newSite().store, 'contoso', undefined), undefined)
  })

  it('shows a restriction, its scope, its case and who placed it', async () => {
    const site = newSite()
    await site.registry.tenants.add('contoso', {}, 'test')
    const restrictions = new Restrictions(site.store)
    const act = { by: 'anna', reason: 'abuse' }
    await restrictions.place('contoso', { ...act, scope: 'unregistered' })
    const first = await read(site)
    assert.deepEqual(
      [first.restricted, first.restrictedBy, first.case, first.mode],
      ['unregistered', 'anna', 'contoso:1', undefined],
    )
    await restrictions.place('contoso', { ...act, scope: 'all' })
    assert.equal((await read(site, first)).restricted, 'all')
    await restrictions.lift('contoso', { ...act, keepUsage: false })
    assert.equal((await read(site, first)).restricted, undefined)
  })

  it('takes the list of domains over where that has not changed', async () => {
    const site = newSite()
    const { registry } = site
    await registry.tenants.add('contoso', {}, 'test')
    await registry.domains.add('contoso', [plain('contoso.com')], 'test')
    const first = await read(site)
    await registry.tenants.set('contoso', { mode: 'off' })
    const second = await read(site, first)
    assert.equal(second.mode, 'off')
    assert.notEqual(second.stateToken, first.stateToken)
    assert.equal(second.domains, first.domains)
    await registry.domains.remove('contoso', ['contoso.com'])
    const third = await read(site, second)
    assert.equal(third.domains.size, 0)
    assert.equal(second.domains.size, 1)
  })

  it('of a removed and re-registered tenant takes nothing over', async () => {
    const site = newSite()
    const { registry } = site
    await registry.tenants.add('contoso', {}, 'test')
    await registry.domains.add('contoso', [plain('contoso.com')], 'test')
    const before = await read(site)
    await removeTenant(registry.store, 'contoso')
    await registry.tenants.add('contoso', {}, 'test')
    assert.equal((await read(site, before)).domains.size, 0)
  })
})

describe('a long list of domains', () => {
  it('is read in pieces, and is all there', async () => {
    const site = await siteWithMany(5000)
    await theRedis().resetCommandStats()
    const { domains } = await read(site)
    const stats = await theRedis().commandStats()
    assert.equal(domains.size, 5000)
    assert.equal(domains.get('d4999.example')?.subdomains, true)
    assert.equal(domains.get('d4998.example')?.subdomains, false)
    // That of its restriction.
    assert.equal(stats['hgetall'], 1)
    assert.ok((stats['hscan'] ?? 0) >= 4, JSON.stringify(stats))
  })

  it('is not read again where it has not changed', async () => {
    const site = await siteWithMany(5000)
    const first = await read(site)
    await theRedis().resetCommandStats()
    assert.equal((await read(site, first)).domains, first.domains)
    assert.equal((await theRedis().commandStats())['hscan'], undefined)
  })

  it('that changes meanwhile is read again', async () => {
    const site = await siteWithMany(3000)
    const { registry, store } = site
    const busy = interrupted(
      store,
      () => registry.domains.add('contoso', [plain('new.example')], 'test'),
      { times: 1 },
    )
    const snapshot = await readSnapshot(busy, 'contoso', undefined)
    assert.equal(snapshot?.domains.size, 3001)
    const token = await store.client.hget(store.keys.tenant('contoso'), 'domains')
    assert.equal(snapshot?.domainsToken, token)
  })

  it('that changes all the time is taken under an old token, so that charges look for themselves', async () => {
    const site = await siteWithMany(3000)
    const { registry, store } = site
    let changes = 0
    const busy = interrupted(store, () =>
      registry.domains.add('contoso', [plain(`new${changes++}.example`)], 'test'),
    )
    const snapshot = await readSnapshot(busy, 'contoso', undefined)
    assert.ok(snapshot && snapshot.domains.size >= 3000)
    const token = await store.client.hget(store.keys.tenant('contoso'), 'domains')
    assert.notEqual(snapshot.domainsToken, token)
  })
})

describe('acceptedDomainOf', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['contoso.com', 'contoso.com'],
    ['a.contoso.com', 'contoso.com'],
    ['a.b.contoso.com', 'contoso.com'],
    ['contoso.net', 'contoso.net'],
    ['a.contoso.net', undefined],
    ['notcontoso.com', undefined],
    ['com', undefined],
    ['contoso.com.example', undefined],
    ['', undefined],
  ]
  for (const [domain, expected] of cases) {
    it(`${domain || 'no name'}: ${expected}`, () =>
      assert.equal(acceptedDomainOf(snapshotWith(), domain), expected))
  }

  it('is the name itself, or the nearest parent that has subdomains', () => {
    const label = fc.constantFrom('a', 'b', 'c')
    const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
    const flags = fc.record({ subdomains: fc.boolean(), shared: fc.boolean() })
    const domains = fc.array(fc.tuple(name, flags)).map((entries) => new Map(entries))
    fc.assert(
      fc.property(domains, name, (map, domain) => {
        const snapshot = { ...snapshotWith(), domains: map }
        const above = parentsOf(domain).filter((parent) => map.get(parent)?.subdomains)
        const covering = map.has(domain) ? [domain, ...above] : above
        assert.equal(acceptedDomainOf(snapshot, domain), covering[0])
        assert.equal(
          ownsDomain(snapshot, domain),
          covering.some((each) => !map.get(each)!.shared),
        )
      }),
    )
  })
})
