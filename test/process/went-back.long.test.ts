// What several processes do when their Redis comes back with older data at the same moment as something else happens.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { Restrictions } from '../../src/allowance/restriction'
import { tellLost } from '../../src/process/lost-duty'
import type { Event, WentBackEvent } from '../../src/records/event'
import { readLost } from '../../src/registry/lost-changes'
import { removeTenant } from '../../src/registry/tenant-removal'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { EARLIER } from '../support/earlier-version'
import { published } from '../support/events'
import { ProcessSite } from '../support/processes'

const ABUSE = { by: 'ann', reason: 'abuse', scope: 'unregistered' } as const
const FRESH = { by: 'ben', reason: 'once more', scope: 'unregistered' } as const
const CLEANED = { by: 'ann', reason: 'cleaned', keepUsage: false } as const
/** The owners of domains, the tenant, and its connector. */
const ALL = '@owners,contoso,contoso/mx'
const PLAIN = { subdomains: false, shared: false }

describe('Processes whose Redis goes back', { concurrency: 4 }, () => {
  it('put a restriction back once: one case, one event, one entry of the audit trail', async (t) => {
    const site = await ProcessSite.open(t, 3)
    const goBack = await site.save()
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    const before = await site.held()
    await goBack()
    await waitFor(async () => (await site.held())['scope'])
    await site.allSay('unregistered')
    assert.deepEqual(await site.held(), before)
    await waitFor(async () => (await published(site.store)).length > 0)
    assert.deepEqual(await published(site.store), [before['event']])
    assert.deepEqual(await site.putBack(), ['restriction put back'])
    assert.equal(await site.store.client.hget(site.store.keys.tenant('contoso'), 'cases'), '1')
    // The next case has another number.
    await site.restrictions.lift('contoso', CLEANED)
    await site.restrictions.place('contoso', FRESH)
    assert.equal((await site.held())['case'], 'contoso:2')
  })

  it('refuse while nobody has put it back', async (t) => {
    const site = await ProcessSite.open(t, 1)
    const [process] = site.processes
    const goBack = await site.save()
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    await goBack()
    let isThere = false
    while (!isThere) {
      assert.equal(await waitFor(() => process!.scopeOf('contoso').catch(() => '')), 'unregistered')
      isThere = (await site.held())['scope'] !== undefined
    }
  })

  it('believe a lift that only one of them has heard of', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const [first, second] = site.processes
    const goBack = await site.save()
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    second!.way.hold()
    await site.restrictions.lift('contoso', CLEANED)
    await first!.hasHeard()
    await goBack()
    second!.way.release()
    await site.allSay(undefined)
    await waitFor(async () => (await site.putBack()).length > 0)
    await site.allHaveHeard()
    assert.deepEqual(await site.putBack(), ['lift put back'])
    assert.deepEqual(await site.held(), {})
  })

  it('believe such a lift too where its process comes back after the restriction has been put back', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const [first, second] = site.processes
    const goBack = await site.save()
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    second!.way.hold()
    await site.restrictions.lift('contoso', CLEANED)
    await first!.hasHeard()
    first!.way.hold()
    await goBack()
    second!.way.release()
    await waitFor(async () => (await site.held())['scope'])
    first!.way.release()
    await site.allSay(undefined)
    assert.deepEqual(await site.held(), {})
    assert.deepEqual(await site.putBack(), ['restriction put back', 'lift put back'])
  })

  it('do not forget a lift when another process says that it has put the restriction back', async (t) => {
    const site = await ProcessSite.open(t, 1)
    await site.restrictions.place('contoso', ABUSE)
    const { store } = site
    const [restriction, created] = [await site.held(), await createdAt(site)]
    await site.restrictions.lift('contoso', CLEANED)
    await site.allHaveHeard()
    await store.client.hdel(store.keys.tenant('contoso'), 'lifted')
    assert.equal(await site.restrictions.putBack('contoso', created, restriction), true)
    await waitFor(async () => (await site.putBack()).length === 2)
    assert.deepEqual(await site.putBack(), ['restriction put back', 'lift put back'])
    await site.allSay(undefined)
  })

  it('do not forget a restriction when another process says that it has put an earlier lift back', async (t) => {
    const site = await ProcessSite.open(t, 1)
    const { store } = site
    await site.restrictions.place('contoso', ABUSE)
    const { since = '', event = '' } = await site.held()
    await site.restrictions.lift('contoso', CLEANED)
    const tenantKey = store.keys.tenant('contoso')
    const [at = ''] = (await store.client.hget(tenantKey, 'lifted'))!.split('\t')
    await site.restrictions.place('contoso', FRESH)
    const restriction = await site.held()
    await site.allHaveHeard()
    await store.client.hdel(tenantKey, 'lifted')
    await store.client.del(store.keys.restriction('contoso'))
    const lift = { at, since, event, by: 'ann', reason: 'cleaned', case: 'contoso:1', id: 'evt_1' }
    const created = await createdAt(site)
    await site.restrictions.putLiftBack('contoso', created, {
      ...lift,
      ...{ keepUsage: '0', probation: '' },
    })
    await site.allHaveHeard()
    await site.allSay('unregistered')
    await waitFor(async () => (await site.held())['scope'])
    assert.deepEqual(await site.held(), restriction)
  })

  it('put no restriction of a removed tenant on the one that was added in its place', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const goBack = await site.save()
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    // The operator is faster than they are.
    await goBack()
    await removeTenant(site.store, 'contoso')
    await site.registry.tenants.add('contoso', {}, 'ben')
    await site.allHaveHeard()
    await site.allSay(undefined)
    assert.deepEqual(await site.held(), {})
    assert.deepEqual(await site.putBack(), [])
  })

  it('put no restriction of a tenant on the one that was removed before it', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const goBack = await site.save()
    await removeTenant(site.store, 'contoso')
    await site.registry.tenants.add('contoso', {}, 'ben')
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    await goBack()
    await waitFor(() => readLost(site.store))
    await site.allSay('unregistered')
    assert.deepEqual(await site.held(), {})
    assert.deepEqual(await site.putBack(), [])
  })

  it('accept a restriction that was placed after the return', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const goBack = await site.save()
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    await goBack()
    await site.restrictions.place('contoso', FRESH)
    const held = await site.held()
    await site.allHaveHeard()
    await site.allSay('unregistered')
    assert.deepEqual(await site.putBack(), [])
    assert.deepEqual(await site.held(), held)
  })

  it('accept a lift of what was put back', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const goBack = await site.save()
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    await goBack()
    await waitFor(async () => (await site.held())['scope'])
    assert.equal(await site.restrictions.lift('contoso', CLEANED), 'lifted')
    await site.allSay(undefined)
    assert.deepEqual(await site.held(), {})
  })

  it('widen a restriction again that was placed after the return with a narrower scope', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const goBack = await site.save()
    await site.restrictions.place('contoso', { ...ABUSE, scope: 'all' })
    await site.allHaveHeard()
    await goBack()
    await site.restrictions.place('contoso', FRESH)
    await waitFor(async () => (await site.held())['scope'] === 'all')
    await site.allSay('all')
    assert.equal((await site.putBack()).length, 1)
  })

  it('let it be restricted where nobody knows that it was lifted', async (t) => {
    const site = await ProcessSite.open(t, 2)
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    const goBack = await site.save()
    for (const { way } of site.processes) way.hold()
    await site.restrictions.lift('contoso', CLEANED)
    await goBack()
    for (const { way } of site.processes) way.release()
    await site.allHaveHeard()
    await site.allSay('unregistered')
    assert.equal((await site.held())['scope'], 'unregistered')
    assert.deepEqual(await site.putBack(), [])
  })

  it('follow a change of which only one of them has heard', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const [first, second] = site.processes
    for (const { engine } of site.processes) await engine.directory.load('contoso')
    const goBack = await site.save()
    second!.way.hold()
    await site.registry.domains.add('contoso', [{ domain: 'added.example', ...PLAIN }], 'ann')
    await site.registry.connectors.block('contoso', 'mx', ABUSE)
    await first!.hasHeard()
    await waitFor(() => first!.engine.directory.connectors?.get('contoso/mx')?.blocked)
    await goBack()
    second!.way.release()
    for (const { engine } of site.processes) {
      await waitFor(async () => {
        const known = await engine.directory.load('contoso').catch(() => undefined)
        const isBlocked = engine.directory.connectors?.get('contoso/mx')?.blocked
        return known?.domains.has('added.example') && isBlocked
      })
    }
  })

  it('notice what else of a tenant is lost where its lift is put back first', async (t) => {
    const site = await ProcessSite.open(t, 2)
    await site.restrictions.place('contoso', ABUSE)
    for (const { engine } of site.processes) await engine.directory.load('contoso')
    const goBack = await site.save()
    await site.registry.domains.add('contoso', [{ domain: 'added.example', ...PLAIN }], 'ann')
    await site.registry.tenants.set('contoso', { mode: 'monitor' })
    await site.restrictions.lift('contoso', CLEANED)
    await site.allHaveHeard()
    await goBack()
    await waitFor(async () => {
      const report = await readLost(site.store)
      const changes = report?.lost.flatMap((each) => each.changes).map(({ what }) => what)
      return report?.putBack.length === 1 && changes?.join() === 'mode,domain added.example'
    })
    for (const { engine } of site.processes) {
      const known = await engine.directory.load('contoso')
      assert.deepEqual([known?.mode, known?.restricted], ['monitor', undefined])
      assert.ok(known?.domains.has('added.example'))
    }
  })

  it('notice the loss of a domain though settings are changed right after the return', async (t) => {
    const site = await ProcessSite.open(t, 1)
    const [process] = site.processes
    await process!.engine.directory.load('contoso')
    const goBack = await site.save()
    await site.registry.domains.add('contoso', [{ domain: 'added.example', ...PLAIN }], 'ann')
    await site.allHaveHeard()
    process!.way.hold()
    await goBack()
    await site.registry.tenants.set('contoso', { mode: 'monitor' })
    process!.way.release()
    await waitFor(async () => (await subjectsOf(site)) === '@owners,contoso')
    const known = await process!.engine.directory.load('contoso')
    assert.deepEqual([known?.mode, known?.domains.has('added.example')], ['monitor', true])
  })

  it('report again what is lost where Redis goes back a second time', async (t) => {
    const site = await ProcessSite.open(t, 2)
    for (const { engine } of site.processes) await engine.directory.load('contoso')
    const goBack = await site.save()
    await site.registry.domains.add('contoso', [{ domain: 'added.example', ...PLAIN }], 'ann')
    await site.registry.connectors.block('contoso', 'mx', ABUSE)
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    const restriction = await site.held()
    for (let turn = 1; turn <= 2; turn++) {
      await goBack()
      await waitFor(async () => {
        const report = await readLost(site.store)
        return report?.putBack.length === 1 && (await subjectsOf(site)) === ALL
      })
      assert.deepEqual(await site.held(), restriction)
      await site.allSay('unregistered')
      for (const { engine } of site.processes) {
        assert.ok((await engine.directory.load('contoso'))?.domains.has('added.example'))
        assert.ok(engine.directory.connectors?.get('contoso/mx')?.blocked)
      }
    }
  })

  it('let what is written after the return win, value by value', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const { domains, connectors, tenants } = site.registry
    await domains.add('contoso', [{ domain: 'old.example', ...PLAIN }], 'ann')
    const [process] = site.processes
    await process!.engine.directory.load('contoso')
    const goBack = await site.save()
    const wide = { subdomains: true, shared: false }
    await domains.put(
      'contoso',
      [
        { domain: 'old.example', ...wide },
        { domain: 'contoso.com', ...wide },
      ],
      'ann',
    )
    await tenants.set('contoso', { mode: 'monitor', limits: '7/1h' })
    await connectors.setEnabled('contoso', 'mx', false)
    await site.allHaveHeard()
    await process!.engine.directory.load('contoso')
    await goBack()
    await waitFor(async () => (await subjectsOf(site)) === ALL)

    await domains.remove('contoso', ['old.example'])
    await tenants.set('contoso', { mode: 'off' })
    await connectors.put(
      'contoso',
      [{ name: 'mx', identities: { ip: ['192.0.2.2/32'], cert: [], certSha256: [], auth: [] } }],
      'ben',
    )
    await site.allHaveHeard()
    for (const { engine } of site.processes) {
      await waitFor(async () => (await engine.directory.load('contoso'))?.mode === 'off')
      const { domains: known } = (await engine.directory.load('contoso'))!
      assert.deepEqual([...known], [['contoso.com', wide]])
      await waitFor(() => engine.directory.connectors?.byIp('192.0.2.2'))
      assert.equal(engine.directory.connectors?.byIp('192.0.2.1'), undefined)
      // It has other addresses, and nobody has enabled it.
      assert.equal(engine.directory.connectors?.byIp('192.0.2.2')?.enabled, false)
    }
    await waitFor(async () => {
      const report = await readLost(site.store)
      const changes = report?.lost.flatMap((each) => each.changes)
      const left = changes?.map(({ what, is }) => `${what} ${is}`).sort()
      return (
        left?.join().startsWith('connector {') &&
        left.slice(1).join() === 'domain contoso.com s,limits 7/1h'
      )
    })
  })
})

describe('Beside an earlier version', { concurrency: 4 }, () => {
  /** Its restrictions. */
  const earlier = ({ redis }: ProcessSite): Restrictions =>
    new Restrictions(new Store(redis.client(), new Keys('ud:'), EARLIER))

  it('a restriction that it placed is put back by a process that did not know the tenant', async (t) => {
    const site = await ProcessSite.open(t, 1)
    const goBack = await site.save()
    await earlier(site).place('contoso', ABUSE)
    const before = await site.held()
    await site.allHaveHeard()
    await goBack()
    await waitFor(async () => (await site.held())['scope'])
    assert.deepEqual(await site.held(), before)
    await site.allSay('unregistered')
  })

  it('its lift is believed, and the tenant is restricted again where Redis loses that', async (t) => {
    const site = await ProcessSite.open(t, 2)
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    const goBack = await site.save()
    await earlier(site).lift('contoso', CLEANED)
    await site.allHaveHeard()
    await site.allSay(undefined)
    assert.deepEqual(await site.putBack(), [])

    await goBack()
    await site.allSay('unregistered')
    assert.deepEqual(await site.putBack(), [])
    // People are told some seconds later: no process has withdrawn it by then.
    const told: WentBackEvent[] = []
    const publish = (_: string, event: Event): Promise<void> => {
      told.push(event as WentBackEvent)
      return Promise.resolve()
    }
    const duty = tellLost(site.store, { publish }, () => assert.fail('nothing is lost'))
    const [event] = await waitFor(async () => {
      await duty.run()
      return told.length > 0 && told
    })
    assert.deepEqual(event!.missing.subjects, ['contoso'])
  })

  it('its lift of a restriction that was put back is believed', async (t) => {
    const site = await ProcessSite.open(t, 2)
    const goBack = await site.save()
    await site.restrictions.place('contoso', ABUSE)
    await site.allHaveHeard()
    await goBack()
    await waitFor(async () => (await site.held())['scope'])
    assert.equal(await earlier(site).lift('contoso', CLEANED), 'lifted')
    await site.allHaveHeard()
    await site.allSay(undefined)
    assert.deepEqual(await site.held(), {})
  })
})

/** What the report says is lost of. */
async function subjectsOf({ store }: ProcessSite): Promise<string | undefined> {
  return (await readLost(store))?.lost
    .map(({ subject }) => subject)
    .sort()
    .join()
}

async function createdAt({ store }: ProcessSite): Promise<string> {
  return (await store.client.hget(store.keys.tenant('contoso'), 'createdAt'))!
}
