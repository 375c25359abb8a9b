import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readTenantAudit, readWholeAudit } from '../../src/audit/reader'
import { Restrictions } from '../../src/allowance/restriction'
import { acceptRedis, readWentBack } from '../../src/operations/lost-changes'
import { restoreKnown, type Restored } from '../../src/operations/restore-known'
import { lookAtRegistry, ensureEpoch } from '../../src/registry/epoch'
import { readLost, reportLost } from '../../src/registry/lost-changes'
import { removeTenant } from '../../src/registry/tenant-removal'
import type { Store } from '../../src/store/store'
import { reportDifferences, savedKeys, valuesOf, type Values } from '../support/lost-changes'
import { assertConsistent, newSite, useRedis, type Site } from '../support/registry'

useRedis()

const ACT = { by: 'ann', reason: 'test' }
const OWN = { subdomains: false, shared: false }

function named(
  ...names: readonly string[]
): { domain: string; subdomains: boolean; shared: boolean }[] {
  return names.map((domain) => ({ domain, ...OWN }))
}

/** Three tenants with domains and connectors. */
async function filledSite(): Promise<Site> {
  const site = newSite()
  const { tenants, domains, connectors } = site.registry
  await ensureEpoch(site.store)
  await tenants.add('contoso', { limits: '500/1h', mode: 'monitor' }, 'ann')
  await tenants.add('fabrikam', {}, 'ann')
  await tenants.add('gone', {}, 'ann')
  await domains.add('contoso', named('contoso.com', 'old.example', 'moves.example'), 'ann')
  await domains.add('contoso', [{ domain: 'p.local', subdomains: false, shared: true }], 'ann')
  await domains.add('gone', named('gone.example'), 'ann')
  await connectors.add('contoso', 'mx', { ip: ['192.0.2.1'] }, 'ann')
  await connectors.add('contoso', 'web', { ip: ['192.0.2.2'] }, 'ann')
  await connectors.add('contoso', 'bad', { auth: ['bad'] }, 'ann')
  await connectors.block('contoso', 'bad', ACT)
  await connectors.add('gone', 'mx', { auth: ['gone'] }, 'ann')
  return site
}

/** Something of every kind that an operator changes. */
async function change({ store, registry: { tenants, domains, connectors } }: Site): Promise<void> {
  await tenants.set('contoso', { limits: '300/1h', mode: null, contact: 'ann@contoso.com' })
  await domains.remove('contoso', ['old.example', 'p.local'])
  await domains.add('contoso', named('new.example'), 'ann')
  await domains.put('contoso', [{ domain: 'contoso.com', subdomains: true, shared: false }], 'ann')
  await domains.move('moves.example', 'fabrikam', 'ann')
  await domains.add('fabrikam', [{ domain: 'p.local', subdomains: true, shared: true }], 'ann')
  await removeTenant(store, 'gone')
  await tenants.add('added', { limits: '5/1h' }, 'file:site')
  await domains.add('added', named('gone.example'), 'ann')
  await connectors.setEnabled('contoso', 'mx', false)
  await connectors.block('contoso', 'mx', ACT)
  await connectors.unblock('contoso', 'bad', ACT)
  await connectors.remove('contoso', 'bad')
  await connectors.put('contoso', [{ name: 'web', identities: auth('web') }], 'ann')
  await connectors.add('added', 'mx', { ip: ['192.0.2.2'], auth: ['bad', 'gone'] }, 'ann')
}

function auth(user: string): {
  ip: string[]
  cert: string[]
  certSha256: string[]
  auth: string[]
} {
  return { ip: [], cert: [], certSha256: [], auth: [user] }
}

/** Makes changes, lets Redis go back to before them, and reports what it has lost. */
async function goneBack(
  make: (site: Site) => Promise<void>,
): Promise<{ site: Site; before: Values; goBack: () => Promise<void> }> {
  const site = await filledSite()
  const keys = await savedKeys(site.store)
  const now = await valuesOf(site.store)
  await make(site)
  const before = await valuesOf(site.store)
  const goBack = async (): Promise<void> => {
    await keys()
    await reportDifferences(site.store, before, now)
  }
  await goBack()
  return { site, before, goBack }
}

async function restored(store: Store): Promise<Restored> {
  const found = await readWentBack(store)
  assert.ok(found, 'nothing was reported')
  return restoreKnown(store, found, ACT)
}

describe('changes that Redis has lost and processes know', () => {
  it('are all written again, and each name and identity has one owner', async () => {
    const { site, before } = await goneBack(change)
    const { written, skipped, leftOut } = await restored(site.store)
    assert.deepEqual(leftOut, [])
    assert.deepEqual(skipped, [])
    assert.ok(written.length > 20)
    assert.deepEqual(await valuesOf(site.store), before)
    await assertConsistent(site.store)
    assert.equal(await readWentBack(site.store), undefined)
  })

  it('are all written however often that is interrupted', async () => {
    const { site, before, goBack } = await goneBack(change)
    for (let commands = 1; ; commands += 3) {
      await goBack()
      const ended = await restored(site.connectUntil(commands)).catch((error: Error) => error)
      if (ended instanceof Error) assert.match(ended.message, /killed here/)
      if (await readLost(site.store)) await restored(site.store)
      assert.deepEqual(await valuesOf(site.store), before, `killed after ${commands} commands`)
      await assertConsistent(site.store)
      assert.equal(await readLost(site.store), undefined)
      if (!(ended instanceof Error)) return
    }
  })

  it('lose to what was written after Redis went back', async () => {
    const { site } = await goneBack(change)
    const { tenants, domains, connectors } = site.registry
    await tenants.set('contoso', { limits: '50/1h' })
    await domains.add('fabrikam', named('new.example'), 'bob')
    await connectors.add('fabrikam', 'mx', { auth: ['web'] }, 'bob')
    const { skipped, leftOut } = await restored(site.store)
    assert.deepEqual(
      skipped.map(({ subject, what, state }) => [subject, what, state]),
      [['contoso', 'limits', 'overtaken']],
    )
    assert.deepEqual(
      leftOut.map(({ subject, what, why }) => [subject, what, /belongs to/.test(why)]),
      [
        // It was to take the address that contoso/web keeps.
        ['added/mx', 'connector', true],
        ['contoso', 'domain new.example', true],
        ['contoso/web', 'connector', true],
      ],
    )
    assert.equal((await tenants.get('contoso'))?.limits, '50/1h')
    assert.equal((await tenants.get('contoso'))?.contact, 'ann@contoso.com')
    await assertConsistent(site.store)
    const left = await readWentBack(site.store)
    assert.deepEqual(left?.changes.map(({ subject }) => subject).sort(), [
      ...['added/mx', 'contoso', 'contoso/web'],
    ])
  })

  it('move a domain although no process knows that its old owner gave it up', async () => {
    const { site } = await goneBack(async ({ registry }) => {
      await registry.domains.move('moves.example', 'fabrikam', 'ann')
    })
    const [of] = (await readLost(site.store))!.lost.filter(({ subject }) => subject === 'contoso')
    await reportLost(site.store, [{ kind: 'lost', ...of!, changes: [] }])
    assert.deepEqual((await restored(site.store)).leftOut, [])
    assert.deepEqual(
      (await site.registry.domains.list('fabrikam')).map(({ domain }) => domain),
      ['moves.example'],
    )
    await assertConsistent(site.store)
  })

  it('do not move a domain that was registered after Redis went back', async () => {
    const { site } = await goneBack(({ registry }) =>
      registry.domains.add('fabrikam', named('later.example'), 'ann').then(() => undefined),
    )
    await site.registry.domains.add('contoso', named('later.example'), 'bob')
    const { leftOut } = await restored(site.store)
    assert.match(leftOut[0]?.why ?? '', /later\.example belongs to contoso/)
    await assertConsistent(site.store)
  })

  it('bring a tenant back as the same tenant, and keep a restricted one', async () => {
    const { site, before } = await goneBack(async ({ store, registry }) => {
      await registry.tenants.add('added', {}, 'ann')
      await removeTenant(store, 'gone')
    })
    await new Restrictions(site.store).place('gone', { scope: 'unregistered', ...ACT })
    const { leftOut } = await restored(site.store)
    assert.match(leftOut[0]?.why ?? '', /tenant gone is restricted: lift that first/)
    const added = await site.registry.tenants.get('added')
    assert.equal(String(added?.createdAt), before.get('added')?.get('tenant'))
    assert.ok(await site.registry.tenants.get('gone'))
  })

  it('leave out what no registry would accept', async () => {
    const site = await filledSite()
    const of = { known: 2e15, found: 1e15, more: 0 }
    const lost = (subject: string, what: string, was: string | null, is: string) => ({
      ...{ kind: 'lost' as const, subject, ...of, changes: [{ what, was, is }] },
    })
    await reportLost(site.store, [
      lost('contoso', 'limits', '500/1h', 'many'),
      lost('fabrikam', 'domain com', null, '-'),
      lost('fabrikam/x', 'connector', null, '{"ip":["all"]}'),
      lost('nobody/x', 'connector', null, '{}'),
      lost('new', 'tenant', null, 'soon'),
    ])
    const before = await valuesOf(site.store)
    const { written, leftOut } = await restored(site.store)
    assert.deepEqual(written, [])
    assert.equal(leftOut.length, 5)
    assert.deepEqual(await valuesOf(site.store), before)
  })

  it('name the reason in the audit trail, and who restored them', async () => {
    const { site } = await goneBack(change)
    await restored(site.store.as('ann\ttenantctl\t'))
    const entries = await readWholeAudit(site.store, 0)
    const [entry] = entries.filter(({ what }) => what === 'lost changes restored')
    assert.match(entry?.to ?? '', /^\d+ changes; test$/)
    assert.equal(entry?.os, 'ann')
    assert.ok(
      (await readTenantAudit(site.store, 'contoso', 0)).some(
        ({ what }) => what === 'tenant changed',
      ),
    )
  })
})

describe('changes that nobody knows', () => {
  const missing = (subject: string) =>
    ({ kind: 'missing', subject, known: 2e15, found: 1e15 }) as const

  it('stay reported until an operator accepts what Redis holds', async () => {
    const { site } = await goneBack(change)
    await reportLost(site.store, [missing('fabrikam'), missing('@connectors')])
    await restored(site.store)
    const left = await readWentBack(site.store)
    assert.deepEqual(left?.missing.map(({ subject }) => subject).sort(), [
      '@connectors',
      'fabrikam',
    ])
    assert.ok(left.isOpen)
    await acceptRedis(site.store, left, ACT)
    assert.equal(await readLost(site.store), undefined)
    assert.ok((await lookAtRegistry(site.store)).accepted > 0)
    const [entry] = (await readWholeAudit(site.store, 0)).filter(
      ({ what }) => what === 'Redis accepted',
    )
    assert.equal(entry?.to, 'without 0 lost changes, 2 missing ones; test')
  })

  it('of owners are found again in the lists of the tenants', async () => {
    const site = await filledSite()
    const { client, keys } = site.store
    await client.hdel(keys.ownerNames, 'contoso.com')
    await client.hset(keys.ownerNames, 'left.example', '- contoso')
    await reportLost(site.store, [missing('@owners')])
    await restored(site.store)
    await assertConsistent(site.store)
    assert.equal(await readLost(site.store), undefined)
  })
})
