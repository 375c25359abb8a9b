import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Restrictions } from '../../../src/allowance/restriction'
import { findInconsistencies, repair } from '../../../src/registry/consistency/consistency'
import { ownerOf } from '../../../src/registry/owners'
import { Registries } from '../../support/registries'
import { assertConsistent, newSite, useRedis, type Site } from '../../support/registry'

useRedis()

const plain = (domain: string) => ({ domain, subdomains: false, shared: false })

async function fullSite(): Promise<Site> {
  const site = newSite()
  const { registry } = site
  for (const id of ['contoso', 'fabrikam']) await registry.tenants.add(id, {}, 'root')
  const wide = { domain: 'contoso.net', subdomains: true, shared: false }
  const shared = { domain: 'p.local', subdomains: false, shared: true }
  await registry.domains.add('contoso', [plain('contoso.com'), wide, shared], 'root')
  await registry.domains.add('fabrikam', [plain('fabrikam.com')], 'root')
  await registry.connectors.add('contoso', 'hq', { ip: ['192.0.2.1'], auth: ['alice'] }, 'root')
  await registry.connectors.add('fabrikam', 'hq', { ip: ['192.0.2.2'] }, 'root')
  await new Restrictions(site.store).place('fabrikam', { scope: 'all', by: 'root', reason: 'test' })
  return site
}

/** What is found, as `kind: text → remedy`; after the repair only what a person must do is left. */
async function findAndRepair({ store }: Site, unrepaired: string[] = []): Promise<string[]> {
  const found = await findInconsistencies(store)
  const left = await repair(store, found)
  assert.deepEqual(
    left.map(({ kind }) => kind),
    unrepaired,
  )
  assert.deepEqual(
    (await findInconsistencies(store)).map(({ kind }) => kind),
    unrepaired,
  )
  return found.map(({ kind, text, remedy }) => `${kind}: ${text} → ${remedy}`)
}

describe('inconsistencies', () => {
  it('are none where all is well', async () => {
    const site = await fullSite()
    await assertConsistent(site.store)
    assert.deepEqual(await repair(site.store, []), [])
  })

  it('claims without an entry are freed', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    await client.hdel(keys.domains('contoso'), 'contoso.com')
    await client.hset(keys.ownerNames, 'gone.example', 's gone')
    await client.zadd(keys.ownerIndex, 0, 'example.gone')
    assert.deepEqual((await findAndRepair(site)).sort(), [
      'claim-without-entry: contoso.com belongs to contoso, which does not have it among its accepted domains → the name is freed',
      'claim-without-entry: gone.example belongs to gone, which does not exist → the name is freed',
    ])
    assert.equal(await ownerOf(site.store, 'contoso.com'), undefined)
  })

  it('entries without a claim are claimed, or taken off where another owns the name', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    await client.hdel(keys.ownerNames, 'contoso.com')
    await client.zrem(keys.ownerIndex, 'com.contoso')
    await client.hset(
      keys.domains('contoso'),
      'fabrikam.com',
      '- 1764000000000 root',
      'x.fabrikam.com',
      '- 1 root',
    )
    await client.hset(keys.ownerNames, 'contoso.net', '- contoso')
    assert.deepEqual((await findAndRepair(site)).sort(), [
      'claim-with-other-flags: contoso.net is an accepted domain of contoso with subdomains, but is owned without → owned with subdomains',
      'entry-without-claim: contoso.com is an accepted domain of contoso, but nobody owns it → claimed for contoso; taken off its list if another tenant covers the name',
      'entry-without-claim: fabrikam.com is an accepted domain of contoso, but belongs to fabrikam → taken off the list of contoso',
      'entry-without-claim: x.fabrikam.com is an accepted domain of contoso, but nobody owns it → claimed for contoso; taken off its list if another tenant covers the name',
    ])
    assert.equal(await ownerOf(site.store, 'contoso.com'), 'contoso')
    assert.equal(await ownerOf(site.store, 'y.contoso.net'), 'contoso')
    assert.deepEqual(
      (await site.registry.domains.list('contoso')).map(({ domain }) => domain),
      ['contoso.com', 'contoso.net', 'p.local', 'x.fabrikam.com'],
    )
  })

  it('an entry goes where its name was freed by the same repair', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    await client.hset(keys.ownerNames, 'contoso.com', '- fabrikam')
    await findAndRepair(site)
    assert.equal(await ownerOf(site.store, 'contoso.com'), 'contoso')
  })

  it('names that two tenants cover are left to a person', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    await client.hset(keys.domains('fabrikam'), 'x.contoso.net', '- 1 root')
    await client.hset(keys.ownerNames, 'x.contoso.net', '- fabrikam')
    await client.zadd(keys.ownerIndex, 0, 'net.contoso.x')
    assert.deepEqual(await findAndRepair(site, ['covered-twice']), [
      'covered-twice: x.contoso.net of fabrikam lies below contoso.net, which contoso has with subdomains → remove one of them, or move it: tenantctl domain move x.contoso.net contoso',
    ])
    await site.registry.domains.move('x.contoso.net', 'contoso', 'root')
    await assertConsistent(site.store)
  })

  it('the index of owned names is mended', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    await client.zrem(keys.ownerIndex, 'com.contoso')
    await client.zadd(keys.ownerIndex, 0, 'com.tailspin')
    assert.deepEqual((await findAndRepair(site)).sort(), [
      'owner-index: contoso.com is owned, but not in the index of owned names → entered',
      'owner-index: the index of owned names holds tailspin.com, which nobody owns → taken out',
    ])
    assert.deepEqual((await client.zrangebylex(keys.ownerIndex, '-', '+')).sort(), [
      'com.contoso',
      'com.fabrikam',
      'net.contoso',
    ])
  })

  it('moves that were cut short are finished, or given back', async () => {
    const site = await fullSite()
    const { store, registry } = site
    await assert.rejects(
      new Registries(site.connectUntil(2)).domains.move('contoso.com', 'fabrikam', 'root'),
    )
    assert.deepEqual(await findAndRepair(site), [
      'unfinished-move: contoso.com was to move from contoso to fabrikam, and was left half-way → moved to fabrikam, or given back to contoso where fabrikam is gone',
    ])
    assert.equal(await ownerOf(store, 'contoso.com'), 'fabrikam')
    assert.equal((await registry.domains.list('contoso')).length, 2)

    await registry.tenants.add('tailspin', {}, 'root')
    await assert.rejects(
      new Registries(site.connectUntil(2)).domains.move('contoso.com', 'tailspin', 'root'),
    )
    await store.client.del(store.keys.tenant('tailspin'))
    assert.deepEqual((await findAndRepair(site)).map((each) => each.split(':')[0]).sort(), [
      'tenant-index',
      'unfinished-move',
    ])
    assert.equal(await ownerOf(store, 'contoso.com'), 'fabrikam')

    await store.client.hset(store.keys.ownerMoves, 'contoso.net', 'contoso')
    await store.client.hdel(store.keys.ownerNames, 'contoso.net')
    await findAndRepair(site)
    assert.equal(await ownerOf(store, 'contoso.net'), 'contoso')
  })

  it('the indexes of tenants and of restricted tenants are mended', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    await client.srem(keys.tenants, 'contoso')
    await client.sadd(keys.tenants, 'gone')
    await client.srem(keys.restricted, 'fabrikam')
    await client.sadd(keys.restricted, 'contoso')
    assert.deepEqual(await findAndRepair(site), [
      'tenant-index: tenant contoso is not in the index → entered',
      'tenant-index: the index names a tenant gone that does not exist → taken out',
      'restricted-index: tenant fabrikam is restricted, but not in the index of the restricted → entered',
      'restricted-index: the index of the restricted names contoso, which is not restricted → taken out',
    ])
    assert.deepEqual((await client.smembers(keys.tenants)).sort(), ['contoso', 'fabrikam'])
    assert.deepEqual(await client.smembers(keys.restricted), ['fabrikam'])
  })

  it('connectors of no tenant are removed', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    await site.registry.tenants.add('gone', {}, 'root')
    await site.registry.connectors.add('gone', 'hq', { ip: ['192.0.2.3'] }, 'root')
    await client.del(keys.tenant('gone'))
    await client.srem(keys.tenants, 'gone')
    const changes = await site.changes()
    assert.deepEqual(await findAndRepair(site), [
      'connector-without-tenant: connector gone/hq is there, but no tenant gone → removed',
    ])
    assert.deepEqual(
      (await changes.read()).map(({ changed }) => changed),
      [['gone/hq']],
    )
    assert.equal((await site.registry.connectors.list()).length, 2)
  })

  it('the table of identities is mended, and what two have is left to a person', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    await client.hdel(keys.connectorIdentities, 'auth:alice')
    await client.hset(
      keys.connectorIdentities,
      'auth:bob',
      'contoso/hq',
      'ip:192.0.2.1/32',
      'fabrikam/hq',
    )
    assert.deepEqual((await findAndRepair(site)).sort(), [
      'identity-table: auth alice of connector contoso/hq is not in the table of identities → entered',
      'identity-table: ip 192.0.2.1/32 of connector contoso/hq is not in the table of identities → entered',
      'identity-table: the table of identities gives auth bob to contoso/hq, which does not have it → taken out',
    ])
    const json = JSON.parse((await client.hget(keys.connectors, 'fabrikam/hq'))!) as {
      ip: string[]
    }
    await client.hset(
      keys.connectors,
      'fabrikam/hq',
      JSON.stringify({ ...json, ip: ['192.0.2.1/32', '192.0.2.2/32'] }),
    )
    assert.deepEqual(await findAndRepair(site, ['identity-doubled']), [
      'identity-doubled: ip 192.0.2.1/32 belongs to more than one connector: contoso/hq, fabrikam/hq → remove all but one of them: tenantctl connector remove',
    ])
  })

  it('are not made by a repair that runs while others write', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    const writer = new Registries(site.connect())
    let writing = true
    const write = async () => {
      for (let round = 0; writing; round++) {
        await writer.domains.add('contoso', [plain('new.example')], 'root')
        await writer.connectors.add('contoso', 'new', { ip: ['192.0.2.9'] }, 'root')
        await writer.domains.move('new.example', 'fabrikam', 'root')
        await writer.domains.remove('fabrikam', ['new.example'])
        await writer.connectors.remove('contoso', 'new')
      }
    }
    const writes = write()
    for (let round = 0; round < 20; round++) {
      await client.hset(keys.ownerNames, `orphan${round}.example`, '- contoso')
      await client.hset(keys.connectorIdentities, `auth:orphan${round}`, 'contoso/hq')
      await repair(site.store, await findInconsistencies(site.store))
    }
    writing = false
    await writes
    await findAndRepair(site)
    assert.equal(await client.hlen(keys.ownerNames), 3)
    assert.equal(await client.hlen(keys.connectorIdentities), 3)
  })
})
