import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { actorText, osActor, osUser } from '../../src/records/actor'
import { parseEntry, tenantOf, type AuditEntry } from '../../src/records/audit-entry'
import { AUDIT_DAYS, readTenantAudit, readWholeAudit } from '../../src/audit/reader'
import { addEntry } from '../../src/records/audit-trail'
import { Restrictions } from '../../src/allowance/restriction'
import { NOON, TestClock } from '../support/clock'
import { newSite, signedBy, useRedis, type Site } from '../support/registry'
import { removeTenant } from '../../src/registry/tenant-removal'

useRedis()

const DAY = 86_400_000
const ANN = actorText({ os: 'ann (root)', redis: 'tenantctl', note: 'bob' })
const plain = (domain: string) => ({ domain, subdomains: false, shared: false })

function signedSite(replacements: Record<string, string> = {}): Site {
  return signedBy(ANN, newSite(replacements))
}

const changesOf = (entries: readonly AuditEntry[]): string[][] =>
  entries.map(({ subject, what, from, to }) => [subject, what, from, to])

describe('the audit trail', () => {
  it('has every change of a tenant, its domains and connectors: before, after and by whom', async () => {
    const { registry, store } = signedSite()
    await registry.tenants.add('contoso', { name: 'Contoso', limits: '5/1h' }, 'ann')
    await registry.tenants.set('contoso', { mode: 'monitor', limits: null })
    await registry.domains.add('contoso', [plain('contoso.com'), plain('contoso.org')], 'ann')
    const wide = { domain: 'contoso.com', subdomains: true, shared: false }
    await registry.domains.put('contoso', [wide], 'file:site')
    await registry.domains.remove('contoso', ['contoso.org'])
    await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1'] }, 'ann')
    await registry.connectors.setEnabled('contoso', 'mx', false)
    await registry.connectors.remove('contoso', 'mx')
    await removeTenant(registry.store, 'contoso')

    const entries = await readTenantAudit(store, 'contoso', 0)
    assert.deepEqual(changesOf(entries), [
      ['contoso', 'tenant added', '', 'name=Contoso; limits=5/1h'],
      ['contoso', 'tenant changed', 'mode=default; limits=5/1h', 'mode=monitor; limits=default'],
      ['contoso', 'domains added', '', 'contoso.com, contoso.org'],
      [
        'contoso',
        'domains changed',
        'contoso.com by ann',
        'contoso.com with subdomains by file:site',
      ],
      ['contoso', 'domains removed', 'contoso.org', ''],
      ['contoso/mx', 'connector added', '', 'ip 192.0.2.1/32; enabled; by ann'],
      [
        'contoso/mx',
        'connector changed',
        'ip 192.0.2.1/32; enabled; by ann',
        'ip 192.0.2.1/32; disabled; by ann',
      ],
      ['contoso/mx', 'connector removed', 'ip 192.0.2.1/32; disabled; by ann', ''],
      ['contoso', 'tenant removed', 'name=Contoso; mode=monitor; source=ann; domains=1', ''],
    ])
    for (const { os, redis, note, at } of entries) {
      assert.deepEqual([os, redis, note], ['ann (root)', 'tenantctl', 'bob'])
      assert.ok(Math.abs(at - Date.now()) < 60_000)
    }
  })

  it('has no entry of a call that changes nothing or is refused', async () => {
    const { registry, store } = signedSite()
    const given = async (): Promise<void> => {
      await registry.tenants.add('contoso', {}, 'ann')
      await registry.domains.add('contoso', [plain('contoso.com')], 'ann')
      await registry.connectors.add('contoso', 'mx', { auth: ['mx'] }, 'ann')
      await registry.connectors.setEnabled('contoso', 'mx', true)
      await registry.tenants.set('contoso', { mode: null })
    }
    await given()
    const before = await readWholeAudit(store, 0)
    await given()
    await registry.tenants.add('fabrikam', {}, 'ann')
    await assert.rejects(registry.tenants.add('contoso', { limits: '1/1h' }, 'ann'))
    await assert.rejects(registry.domains.add('fabrikam', [plain('contoso.com')], 'ann'))
    await assert.rejects(registry.connectors.add('fabrikam', 'mx', { auth: ['mx'] }, 'ann'))
    const after = await readWholeAudit(store, 0)
    assert.deepEqual(changesOf(after.slice(before.length)), [
      ['fabrikam', 'tenant added', '', 'name=fabrikam'],
    ])
  })

  it('has a moved domain at both tenants', async () => {
    const { registry, store } = signedSite()
    for (const id of ['contoso', 'fabrikam']) await registry.tenants.add(id, {}, 'ann')
    await registry.domains.add('contoso', [plain('shop.example')], 'ann')
    await registry.domains.move('shop.example', 'fabrikam', 'ann')
    const last = async (id: string) => changesOf(await readTenantAudit(store, id, 0)).at(-1)
    assert.deepEqual(await last('contoso'), ['contoso', 'domains removed', 'shop.example', ''])
    assert.deepEqual(await last('fabrikam'), ['fabrikam', 'domains added', '', 'shop.example'])
  })

  it('names the first of many domains, and counts the others', async () => {
    const { registry, store } = signedSite()
    await registry.tenants.add('contoso', {}, 'ann')
    const names = Array.from({ length: 1200 }, (_, at) => `d${at + 1000}.example`)
    await registry.domains.add('contoso', names.map(plain), 'ann')
    const added = (await readTenantAudit(store, 'contoso', 0)).slice(1)
    // One entry a script call, which handles 500 domains.
    assert.equal(added.length, 3)
    assert.match(added[0]!.to, /^(d\d+\.example, ){9}d\d+\.example and 490 more \(500\)$/)
    const counts = added.map(({ to }) => Number(/\((\d+)\)$/.exec(to)![1]))
    assert.deepEqual(counts, [500, 500, 200])
  })

  it('says of a removed tenant what its contact was, and that it was on probation', async () => {
    const { registry, store } = signedSite()
    const restrictions = new Restrictions(store)
    const act = { by: 'ann', reason: 'x' }
    await registry.tenants.add('contoso', { contact: 'ann@fabrikam.example' }, 'ann')
    await restrictions.place('contoso', { ...act, scope: 'unregistered' })
    const probation = { limits: '5/1h', duration: 3_600_000 }
    await restrictions.lift('contoso', { ...act, keepUsage: false, probation })
    await removeTenant(registry.store, 'contoso')
    const { from } = (await readTenantAudit(store, 'contoso', 0)).at(-1)!
    assert.equal(
      from,
      'name=contoso; contact=ann@fabrikam.example; source=ann; probation=5/1h; domains=0',
    )
  })

  it('outlives the tenant, and case numbers continue when it comes back', async () => {
    const { registry, store } = signedSite()
    const { client, keys } = store
    await registry.tenants.add('contoso', {}, 'ann')
    await client.hset(keys.tenant('contoso'), 'cases', '3')
    await removeTenant(registry.store, 'contoso')
    assert.deepEqual(changesOf(await readWholeAudit(store, 0)), [
      ['contoso', 'tenant added', '', 'name=contoso'],
      ['contoso', 'tenant removed', 'name=contoso; source=ann; domains=0', ''],
    ])
    await registry.tenants.add('contoso', {}, 'ann')
    assert.equal(await client.hget(keys.tenant('contoso'), 'cases'), '3')
  })

  it('keeps the removal of a tenant when the trail of that tenant is gone', async () => {
    const { registry, store } = signedSite()
    await registry.tenants.add('contoso', {}, 'ann')
    await removeTenant(registry.store, 'contoso')
    await store.client.del(store.keys.audit('contoso'))
    const whats = (await readTenantAudit(store, 'contoso', 0)).map(({ what }) => what)
    assert.deepEqual(whats, ['tenant added', 'tenant removed'])
  })

  it(`forgets what is older than ${AUDIT_DAYS} days, and is read no further back than asked`, async () => {
    const clock = new TestClock()
    const { registry, store } = signedSite(clock.includes)
    const { client, keys } = store
    await clock.set(store, NOON)
    await registry.tenants.add('contoso', {}, 'ann')
    await clock.advance(store, 200 * DAY)
    await registry.tenants.set('contoso', { mode: 'off' })
    const since = (days: number) => readTenantAudit(store, 'contoso', clock.now - days * DAY)
    assert.deepEqual(
      (await since(100)).map(({ what }) => what),
      ['tenant changed'],
    )
    assert.equal((await since(200)).length, 2)
    await clock.advance(store, 166 * DAY)
    await registry.tenants.set('contoso', { mode: null })
    assert.equal(await client.llen(keys.audit('contoso')), 2)
    assert.ok((await client.pttl(keys.audit('contoso'))) > (AUDIT_DAYS - 1) * DAY)
  })

  it('is read in order across batches', async () => {
    const { store } = signedSite()
    const { client, keys } = store
    const lines = Array.from({ length: 2500 }, (_, at) => `${NOON + at}\t\tx${at}\t\t\t\t\t`)
    await client.rpush(keys.audit('contoso'), ...lines)
    const read = await readTenantAudit(store, 'contoso', NOON + 300)
    assert.equal(read.length, 2200)
    assert.deepEqual([read[0]!.what, read.at(-1)!.what], ['x300', 'x2499'])
  })

  it('is published entry by entry', async () => {
    const site = signedSite()
    const { store } = site
    const published: unknown[] = []
    const subscriber = site.connect().client
    subscriber.on('message', (_channel: string, message: string) =>
      published.push(JSON.parse(message)),
    )
    await subscriber.subscribe(store.keys.audited)
    await addEntry(store, store.keys.tenantsAudit, { subject: 'contoso', what: 'x', to: 'a\tb' })
    await subscriber.ping()
    const entry = { subject: 'contoso', what: 'x', from: '', to: 'a\tb' }
    assert.deepEqual(published, [{ ...entry, os: 'ann (root)', redis: 'tenantctl', note: 'bob' }])
  })

  it('has one line an entry, also for texts with tabs and line ends', async () => {
    const strange = actorText({ os: 'a\tb', redis: 'c\nd', note: '\u001b[31m' })
    const { store } = signedBy(strange, newSite())
    await addEntry(store, store.keys.audit('contoso'), {
      subject: 'contoso',
      what: 'x',
      to: 'a\tb\nc',
    })
    const [entry] = await readTenantAudit(store, 'contoso', 0)
    const { os, redis, note, to } = entry!
    assert.deepEqual([os, redis, note, to], ['a b', 'c d', '[31m', 'a b c'])
  })
})

describe('an entry', () => {
  it('without a tenant is about the tenant of its trail', () => {
    const line = '5\t\twhat\tfrom\tto\tos\tredis\tnote'
    assert.equal(parseEntry(line, 'contoso').subject, 'contoso')
    assert.equal(parseEntry(line.replace('\t\t', '\tcontoso:3\t'), 'contoso').subject, 'contoso:3')
  })

  it('belongs to the tenant of its subject', () => {
    for (const subject of ['contoso', 'contoso/mx', 'contoso:3']) {
      assert.equal(tenantOf(subject), 'contoso')
    }
    assert.equal(tenantOf(''), '')
  })
})

describe('who it was', () => {
  it('says who called sudo, and as whom', () => {
    const user = osUser() ?? 'unknown'
    assert.equal(osActor({}), user)
    assert.equal(osActor({ SUDO_USER: user }), user)
    assert.equal(osActor({ SUDO_USER: 'ann' }), `ann (${user})`)
  })
})
