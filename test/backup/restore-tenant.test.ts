import assert from 'node:assert/strict'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { Restrictions } from '../../src/allowance/restriction'
import { backup } from '../../src/backup/backup'
import { restore } from '../../src/backup/restore'
import { unfinishedRestore } from '../../src/backup/unfinished'
import { restoreTenant } from '../../src/backup/restore-tenant'
import { NotFoundError, RefusedError } from '../../src/base/errors'
import { InterruptedError, type Work } from '../../src/base/work'
import { ensureEpoch, readEpoch } from '../../src/registry/epoch'
import { removeTenant } from '../../src/registry/tenant-removal'
import { openRecords } from '../../src/registry-file/read-file'
import { writeLines } from '../../src/registry-file/write-file'
import type { Store } from '../../src/store/store'
import { assertConsistent, errorOf, newSite, useRedis, type Site } from '../support/registry'

useRedis()

const plain = (domain: string) => ({ domain, subdomains: false, shared: false })

/** Two tenants, backed up. */
async function savedSite(): Promise<{ site: Site; file: string }> {
  const site = newSite()
  const { registry, store } = site
  await ensureEpoch(store)
  for (const id of ['contoso', 'fabrikam']) {
    await registry.tenants.add(id, { limits: '5/1h' }, 'ann')
    await registry.domains.add(id, [plain(`${id}.com`), plain(`${id}.net`)], 'ann')
    await registry.connectors.add(id, 'mx', { auth: [id] }, 'ann')
  }
  await new Restrictions(store).place('contoso', { scope: 'all', by: 'ann', reason: 'abuse' })
  const file = path.join(scratchDir('restore-tenant'), 'backup.jsonl')
  await backup(store, (header, lines) => writeLines(file, header, lines))
  return { site, file }
}

async function restoreFrom(
  store: Store,
  file: string,
  id: string,
  options: { force?: boolean; work?: Work } = {},
) {
  const opened = await openRecords(file)
  try {
    return await restoreTenant(store, opened, id, options, options.work)
  } finally {
    await opened.close()
  }
}

async function remove({ store, registry }: Site, id: string): Promise<void> {
  await new Restrictions(store)
    .lift(id, { by: 'ann', reason: 'x', keepUsage: false })
    .catch(() => {})
  await removeTenant(store, id)
  assert.equal(await registry.tenants.get(id), undefined)
}

/** What is registered of a tenant. */
async function tenantOf({ registry, store }: Site, id: string) {
  return {
    tenant: await registry.tenants.get(id),
    domains: await registry.domains.list(id),
    connectors: await registry.connectors.list(id),
    restriction: await new Restrictions(store).get(id),
  }
}

describe('restoring one tenant', () => {
  it('brings all of it back, its restriction too, and changes nothing else', async () => {
    const { site, file } = await savedSite()
    const { store, registry } = site
    const before = await tenantOf(site, 'contoso')
    const epoch = await readEpoch(store)
    await remove(site, 'contoso')
    await registry.tenants.set('fabrikam', { limits: '9/1h' })
    const fabrikam = await tenantOf(site, 'fabrikam')
    const report = await restoreFrom(store, file, 'contoso')
    assert.deepEqual(
      [report.result, report.tenants, report.domains, report.connectors, report.restricted],
      ['restored', 1, 2, 1, 1],
    )
    assert.deepEqual(await tenantOf(site, 'contoso'), before)
    assert.deepEqual(await tenantOf(site, 'fabrikam'), fabrikam)
    assert.equal((await readEpoch(store))?.epoch, epoch?.epoch)
    assert.equal(await unfinishedRestore(store), undefined)
    assert.equal((await restoreFrom(store, file, 'contoso')).result, 'unchanged')
    await assertConsistent(store)
  })

  it('is refused where the tenant exists otherwise, without force', async () => {
    const { site, file } = await savedSite()
    const { store, registry } = site
    await registry.tenants.set('fabrikam', { limits: '9/1h' })
    await registry.domains.add('fabrikam', [plain('new.example')], 'ann')
    const error = await errorOf(restoreFrom(store, file, 'fabrikam'))
    assert.ok(error instanceof RefusedError)
    assert.match(error.message, /tenant fabrikam exists, .*: tenant fabrikam\): .*--force/)
    assert.equal((await registry.tenants.get('fabrikam'))?.limits, '9/1h')
    await restoreFrom(store, file, 'fabrikam', { force: true })
    const { tenant, domains } = await tenantOf(site, 'fabrikam')
    assert.equal(tenant?.limits, '5/1h')
    assert.equal(domains.length, 3)
  })

  it('names a domain or identity that another tenant has, and writes nothing', async () => {
    const { site, file } = await savedSite()
    const { store, registry } = site
    await remove(site, 'contoso')
    await registry.domains.add('fabrikam', [plain('contoso.net')], 'ann')
    await registry.connectors.add('fabrikam', 'web', { auth: ['contoso'] }, 'ann')
    const error = await errorOf(restoreFrom(store, file, 'contoso', { force: true }))
    assert.ok(error instanceof RefusedError)
    assert.match(error.message, /contoso\.net.*fabrikam.*auth contoso.*fabrikam\/web/)
    assert.equal(await registry.tenants.get('contoso'), undefined)
    await assertConsistent(store)
  })

  it('says that the file does not hold the tenant', async () => {
    const { site, file } = await savedSite()
    assert.ok((await errorOf(restoreFrom(site.store, file, 'adatum'))) instanceof NotFoundError)
  })

  it('that was stopped is completed by a second run', async () => {
    const { site, file } = await savedSite()
    await remove(site, 'contoso')
    for (const at of [1, 2, 3, 4, 5]) {
      const work = stopAt(at)
      assert.ok(
        (await errorOf(restoreFrom(site.store, file, 'contoso', { work }))) instanceof
          InterruptedError,
      )
    }
    await restoreFrom(site.store, file, 'contoso')
    assert.equal((await tenantOf(site, 'contoso')).domains.length, 2)
    await assertConsistent(site.store)
  })
})

it('a whole restore that was stopped says so, and a second run completes it', async () => {
  const { site, file } = await savedSite()
  const { store } = site
  const names = await store.client.keys(`${store.keys.prefix}*`)
  await store.client.del(...names)
  const opened = await openRecords(file)
  const error = await errorOf(restore(store, opened, {}, stopAt(2)))
  assert.ok(error instanceof InterruptedError)
  assert.match(error.message, /stopped after \d of 6 records: .*run the same command again/)
  assert.notEqual(await unfinishedRestore(store), undefined)
  assert.equal((await restore(store, opened)).tenants, 2)
  await opened.close()
  await assertConsistent(store)
})

/** A person who stops it after some steps. */
function stopAt(step: number): Work {
  const stop = new AbortController()
  let steps = 0
  return {
    signal: stop.signal,
    progress: () => {
      if (++steps === step) stop.abort()
    },
  }
}
