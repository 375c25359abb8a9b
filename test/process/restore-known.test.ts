// The whole way of a change that Redis loses: a process knows it, reports it, and an operator writes it again.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { acceptRedis, readWentBack } from '../../src/operations/lost-changes'
import { restoreKnown } from '../../src/operations/restore-known'
import { Engine } from '../../src/process/engine'
import { ensureEpoch } from '../../src/registry/epoch'
import { readLost } from '../../src/registry/lost-changes'
import { removeTenant } from '../../src/registry/tenant-removal'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { valuesOf, type Values } from '../support/lost-changes'
import { startRedis } from '../support/redis'
import { assertConsistent } from '../support/registry'
import { Registries } from '../support/registries'
import { saveMoment, WAYS_BACK } from '../support/went-back'

const ACT = { by: 'ann', reason: 'test' }
const PLAIN = { subdomains: false, shared: false }
const FOR_LONG = '900/1h until 2030-01-01T00:00:00Z'
const CHANGED = { limits: '300/1h', temporaryLimits: FOR_LONG, mode: 'monitor' } as const
const TENANTS = ['contoso', 'fabrikam', 'gone', 'added']
const [byRdb] = WAYS_BACK

async function fill({ tenants, domains, connectors, store }: Registries): Promise<void> {
  await ensureEpoch(store)
  for (const id of ['contoso', 'fabrikam', 'gone']) await tenants.add(id, {}, 'ann')
  const names = ['contoso.com', 'old.example', 'moves.example']
  await domains.add(
    'contoso',
    names.map((domain) => ({ domain, ...PLAIN })),
    'ann',
  )
  await connectors.add('contoso', 'mx', { ip: ['192.0.2.1'] }, 'ann')
}

async function change({ tenants, domains, connectors, store }: Registries): Promise<void> {
  await tenants.set('contoso', CHANGED)
  await domains.remove('contoso', ['old.example'])
  await domains.add('contoso', [{ domain: 'new.example', ...PLAIN }], 'ann')
  await domains.move('moves.example', 'fabrikam', 'ann')
  await connectors.block('contoso', 'mx', ACT)
  await connectors.add('fabrikam', 'mx', { ip: ['192.0.2.2'] }, 'ann')
  await removeTenant(store, 'gone')
  await tenants.add('added', { limits: '5/1h', temporaryNullLimits: FOR_LONG }, 'ann')
}

/** A process that knows what was changed, on a Redis that has gone back to before. */
async function goneBack(t: TestContext): Promise<{
  registry: Registries
  engine: Engine
  first: Values
  last: Values
}> {
  const redis = await startRedis({ args: byRdb!.args })
  t.after(() => redis.stop())
  const registry = new Registries(new Store(redis.client(), new Keys('ud:')))
  await fill(registry)
  const engine = new Engine(settingsFor(redis), {
    ...{ onReady() {}, onRestriction() {}, onError() {}, onRedisError() {}, onDrop() {} },
  })
  t.after(() => {
    engine.directory.stop()
    engine.store.client.disconnect()
  })
  engine.follow()
  await waitFor(() => engine.directory.isCurrent)
  const first = await valuesOf(registry.store)
  const goBack = await saveMoment(redis, byRdb!)
  for (const id of TENANTS) await engine.directory.load(id)
  await change(registry)
  const last = await valuesOf(registry.store)
  await waitFor(async () => {
    const snapshots = await Promise.all(TENANTS.map((id) => engine.directory.load(id)))
    const [contoso, fabrikam, gone, added] = snapshots
    const isKnown = contoso?.mode === 'monitor' && contoso.domains.has('new.example')
    const connector = engine.directory.connectors?.get('contoso/mx')
    return isKnown && fabrikam?.domains.size === 1 && !gone && !!added && !!connector?.blocked
  })
  await goBack()
  await waitFor(async () => {
    const subjects = (await readWentBack(registry.store))?.changes.map(({ subject }) => subject)
    return new Set(subjects).size === 6
  })
  return { registry, engine, first, last }
}

describe('what Redis lost and a process knows', () => {
  it('is written again, and reported no more', async (t) => {
    const { registry, engine, last } = await goneBack(t)
    const { store } = registry
    const { leftOut } = await restoreKnown(store, (await readWentBack(store))!, ACT)
    assert.deepEqual(leftOut, [])
    await waitFor(async () => (await readLost(store)) === undefined)
    assert.deepEqual(await valuesOf(store), last)
    await assertConsistent(store)
    await waitFor(async () => (await engine.directory.load('contoso'))?.mode === 'monitor')
    assert.equal(await readLost(store), undefined)
  })

  it('is dropped where an operator accepts what Redis holds', async (t) => {
    const { registry, engine, first } = await goneBack(t)
    const { store } = registry
    assert.equal((await engine.directory.load('contoso'))?.mode, 'monitor')
    await acceptRedis(store, (await readWentBack(store))!, ACT)
    await waitFor(async () => (await engine.directory.load('contoso'))?.mode === undefined)
    await waitFor(async () => (await engine.directory.load('gone')) !== undefined)
    assert.deepEqual(await valuesOf(store), first)
    assert.equal(await readLost(store), undefined)
  })

  it('is reported no more where people make the changes again', async (t) => {
    const { registry } = await goneBack(t)
    const { store, tenants, domains } = registry
    const ofContoso = async (): Promise<readonly string[]> => {
      const report = await readLost(store)
      const own = report?.lost.find(({ subject }) => subject === 'contoso')
      return own?.changes.map(({ what }) => what) ?? []
    }
    await tenants.set('contoso', CHANGED)
    await waitFor(async () => !(await ofContoso()).includes('mode'))
    await domains.remove('contoso', ['old.example'])
    await waitFor(async () => !(await ofContoso()).includes('domain old.example'))
    await domains.move('moves.example', 'fabrikam', 'ann')
    await domains.add('contoso', [{ domain: 'new.example', ...PLAIN }], 'ann')
    await waitFor(async () => (await ofContoso()).length === 0)
  })
})
