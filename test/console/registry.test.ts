import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { KnownRegistry } from '../../src/console/server/known-registry'
import { reportLost } from '../../src/registry/lost-changes'
import { confirmEpoch, ensureEpoch } from '../../src/registry/epoch'
import type { Store } from '../../src/store/store'
import { newConsole } from '../support/console'
import { newSite, useRedis } from '../support/registry'

useRedis()

function newFile(): string {
  return path.join(scratchDir('state'), 'registry.json')
}

/** What a console says that starts now with this file. */
function readOnly(store: Store, file: string): Promise<string | undefined> {
  return new KnownRegistry(store, file).readOnly(true)
}

describe('the registry of a console', () => {
  it('is the first one that it sees, kept in a file for its user', async () => {
    const { store } = newSite()
    const file = newFile()
    assert.match((await readOnly(store, file)) ?? '', /holds no registry yet: tenantctl init/)
    const { epoch } = await ensureEpoch(store)
    assert.equal(await readOnly(store, file), undefined)
    assert.equal((JSON.parse(readFileSync(file, 'utf8')) as { epoch: string }).epoch, epoch)
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  it('can be another one only after a person accepted it: until then nothing is written', async () => {
    const { store } = newSite()
    const file = newFile()
    await ensureEpoch(store)
    const known = new KnownRegistry(store, file)
    assert.equal(await known.readOnly(true), undefined)
    await store.client.del(store.keys.epoch)
    assert.match((await known.readOnly(true)) ?? '', /Redis held the registry .* and holds none: /)
    const other = await ensureEpoch(store)
    for (const why of [await known.readOnly(true), await readOnly(store, file)]) {
      assert.match(why ?? '', new RegExp(`holds another one, ${other.epoch} of `))
      assert.match(
        why ?? '',
        /accept the current content with tenantctl init --force; .*remove \S+/,
      )
    }
    const accepted = await confirmEpoch(store)
    assert.equal(await known.readOnly(true), undefined)
    assert.match(readFileSync(file, 'utf8'), new RegExp(accepted.epoch))
  })

  it('is not written to while a restore was cut short, or a later version wrote it', async () => {
    const { store } = newSite()
    const known = new KnownRegistry(store, newFile())
    await ensureEpoch(store)
    await store.client.set(store.keys.restore, 'checksum')
    assert.match((await known.readOnly(true)) ?? '', /a restore was cut short/)
    await store.client.del(store.keys.restore)
    assert.equal(await known.readOnly(true), undefined)
    await store.client.hset(store.keys.epoch, 'schema', '2.0')
    assert.match((await known.readOnly(true)) ?? '', /schema 2\.0, and this version reads 1\.x/)
  })

  it('is not written to while it is back in time', async () => {
    const { store } = newSite()
    const known = new KnownRegistry(store, newFile())
    await ensureEpoch(store)
    const change = { what: 'mode', was: null, is: 'monitor' }
    await store.client.hset(store.keys.tenant('contoso'), 'createdAt', '1')
    await reportLost(store, [
      { kind: 'lost', subject: 'contoso', known: 2e15, found: 1e15, changes: [change], more: 0 },
    ])
    assert.match((await known.readOnly(true)) ?? '', /gone back in time.*tenantctl registry status/)
  })

  it('is asked once in five seconds for pages, and anew for each change', async () => {
    const { store } = newSite()
    const known = new KnownRegistry(store, newFile())
    await ensureEpoch(store)
    assert.equal(await known.readOnly(false), undefined)
    await store.client.del(store.keys.epoch)
    assert.equal(await known.readOnly(false), undefined)
    assert.match((await known.readOnly(true)) ?? '', /holds none/)
    assert.match((await known.readOnly(false)) ?? '', /holds none/)
  })

  it('cannot be known by a file that is damaged: the start is refused', () => {
    const { store } = newSite()
    const file = newFile()
    for (const content of ['', '{', '{"epoch":1}', 'null']) {
      writeFileSync(file, content)
      assert.throws(() => new KnownRegistry(store, file), /registry\.json is damaged: remove it/)
    }
  })

  it('is told on every page while it is another one, and forms are gone', async () => {
    const { as } = newConsole({}, { readOnly: () => Promise.resolve('another registry') })
    const page = await as('admin').page('/')
    assert.match(page, /another registry/)
    assert.equal((await as('admin').post('/tenants/contoso/block', { reason: 'x' })).status, 409)
  })
})
