import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ledger } from '../../src/allowance/ledger'
import { AlertQueue } from '../../src/alerts/queue'
import { SCHEDULE } from '../../src/alerts/schedule'
import { readTenantAudit } from '../../src/audit/reader'
import { caseName } from '../../src/cases/case'
import { Cases } from '../../src/cases/cases'
import { freezeEvidence } from '../../src/cases/freeze'
import { RefusedError } from '../../src/base/errors'
import { Forwarder } from '../../src/events/forwarder'
import { purgeTenant } from '../../src/operations/purge'
import type { Batch } from '../../src/reporting/batch'
import { HOURS_TTL, MINUTES_TTL, MOST_DAYS_KEPT, MOST_DOMAINS } from '../../src/reporting/bounds'
import { DAY, HOUR } from '../../src/reporting/calendar'
import { Recorder } from '../../src/reporting/recorder'
import { Tally } from '../../src/reporting/tally'
import { Restrictions } from '../../src/allowance/restriction'
import { Keys } from '../../src/store/keys'
import type { Store } from '../../src/store/store'
import { Snoozes } from '../../src/alerts/snoozes'
import { OpenRules } from '../../src/unusual/open-rules'
import { DEFAULTS } from '../support/allowance'
import { contentsOf } from '../support/contents'
import { freezing, trip } from '../support/evidence'
import { reportLost } from '../../src/registry/lost-changes'
import { newSite, signedBy, useRedis, type Site } from '../support/registry'
import { ACCEPTED } from '../support/reporting'
import { removeTenant } from '../../src/registry/tenant-removal'
import { ownedField } from '../support/report-fields'

useRedis()

const TENANTS = ['contoso', 'fabrikam']
const PROBATION = { limits: '1/1h', duration: HOUR }

/** Two tenants with, now or earlier, every kind of data that the product writes. */
async function fullSite(): Promise<Site> {
  const site = signedBy('ann\ttenantctl\t', newSite())
  for (const id of TENANTS) await fill(site, id)
  return site
}

/** @param whileRestricted called while the tenant is restricted. */
async function fill(
  { store, registry }: Site,
  id: string,
  whileRestricted: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await registry.tenants.add(id, { name: `${id} Ltd`, limits: '3/1h' }, 'ann')
  const own = { domain: `${id}.example`, subdomains: true, shared: false }
  await registry.domains.add(id, [own], 'ann')
  await registry.connectors.add(id, 'mx', { auth: [`mx@${id}.example`] }, 'ann')
  await registry.connectors.block(id, 'mx', { by: 'ann', reason: 'a test' })
  await registry.connectors.unblock(id, 'mx', { by: 'ann', reason: 'a test' })
  await trips(store, id)
  await whileRestricted()
  // A restricted tenant cannot be removed.
  await new Restrictions(store).lift(id, {
    ...{ by: 'ann', reason: 'clean', keepUsage: false, probation: PROBATION },
  })
  await recordMail(store, id)
  const findings = [{ rule: 'volume', words: 'much', facts: { recipients: 143 } } as const]
  await new OpenRules(store).update(id, findings)
  await new Snoozes(store).add({ tenant: id, kind: 'unusual', by: 'ann', reason: 'a test' }, HOUR)
  await publish(store, id)
  // As of a restriction among many whose end was not published before the tenant was removed.
  await store.client.zadd(store.keys.eventsRecent, Date.now(), id)
  await store.client.hset(store.keys.eventsMany, `evt_${id}`, `evt_1\theld\t1\t${id}`)
  const lost = { known: 2, found: 1, more: 0, changes: [{ what: 'mode', was: null, is: 'off' }] }
  await reportLost(store, [
    { kind: 'lost', subject: id, ...lost },
    { kind: 'lost', subject: `${id}/mx`, ...lost },
  ])
}

/** Raises all edges of the allowance, and trips. */
async function trips(store: Store, tenant: string): Promise<void> {
  const ledger = new Ledger(store, HOUR)
  const sender = { domain: 'lure.example', connector: `${tenant}/mx`, ip: '192.0.2.1' }
  for (let ordinal = 1; ordinal <= 4; ordinal++) {
    await ledger.charge(
      { tenant, meter: 'unregistered', transaction: 'F1', ordinal, domainsToken: '', ...sender },
      DEFAULTS,
    )
  }
  await new Restrictions(store).index(tenant)
  const name = caseName(tenant, 1)
  await new Cases(store).ensure(tenant)
  await new Cases(store).note(name, { by: 'ann', text: 'called them' })
  const trigger = { window: HOUR, limit: 3, used: 3, ...sender }
  const event = trip(1, { case: name, trigger })
  assert.equal(await freezeEvidence(freezing(store), tenant, event), 'frozen')
}

/** Mail of each class, from more domains than have rows of their own. */
async function recordMail(store: Store, tenant: string): Promise<void> {
  const tally = new Tally(() => {})
  const batch = tally.batchOf(tenant)!
  const connector = `${tenant}/mx`
  batch.addTotal('registered', connector, ACCEPTED)
  batch.addTotal('null', connector, ACCEPTED)
  batch.noteConnector(connector, 0)
  for (let at = 0; at <= MOST_DOMAINS; at++) {
    const source = { domain: `d${at}.example`, connector, ip: '192.0.2.1', user: `bob@${tenant}` }
    batch.addSource(source, 'unregistered', ACCEPTED)
    batch.addSample(source, `<${at}@${tenant}>`, `mail.${tenant}`)
  }
  const other = TENANTS.find((each) => each !== tenant)
  const foreign = { domain: 'owned.example', connector, ip: '192.0.2.1', user: '' }
  batch.addSource(foreign, 'foreign', ACCEPTED, other)
  const recorder = new Recorder(store, () => 90)
  const time = await recorder.record(tenant, tally.take(tenant) as Batch, 'p 1')
  await recorder.noteReported(new Map([[tenant, Number(time)]]))
  await recorder.mailIndex.write()
}

/** Publishes the events raised, and claims them like an alert channel, without a result. */
async function publish(store: Store, tenant: string): Promise<void> {
  const queue = new AlertQueue(store, 'webhook', SCHEDULE)
  await queue.turn(new Map(), 8)
  const onError = (message: string): void => assert.fail(message)
  const forwarder = new Forwarder(store, () => Promise.resolve(), { onAlert: () => {}, onError })
  const cases = new Cases(store)
  forwarder.beforePublish.push((of, event) => cases.handleEvent(of, event))
  await forwarder.forward(tenant)
  await queue.turn(new Map(), 8)
}

/** The keys of one tenant, by the method of `Keys`. */
function keysOf(tenant: string): Record<string, RegExp> {
  const own = (end: string): RegExp => new RegExp(`:\\{${tenant}\\}${end}$`)
  return {
    tenant: own(''),
    domains: own(':domains'),
    usage: own(':usage'),
    restriction: own(':restriction'),
    receipt: own(':receipt:F1'),
    reportHour: own(':report:h\\d+'),
    reportMinutes: own(':report:h\\d+:minutes'),
    reportDay: own(':report:d\\d+'),
    reportOthers: own(':report:h\\d+:others'),
    samples: own(':samples:d\\d+'),
    flushes: own(':flushes'),
    seen: own(':seen'),
    unusual: own(':unusual'),
    caseOf: own(':case:1'),
    evidence: own(':case:1:evidence'),
    audit: own(':audit'),
    caseCount: own(':cases'),
  }
}

/** Keys shared by all tenants that name none. */
const NAMELESS = [
  ...['epoch', 'restore', 'ownerVersion', 'connectorsToken', 'eventIds', 'eventsDue', 'leader'],
  ...['eventCounts', 'nodes', 'nodesSeen', 'nodesConfigs', 'nodesAudit', 'nodesMissing', 'pause'],
  ...['totals', 'totalsAdded'],
  ...['recordedSince', 'unattributedFlushes', 'prefix', 'changes', 'audited'],
  // They name a tenant only while its domains change, which a removal ends, or while it is restricted, and not removable.
  ...['ownerMoves', 'ownerPending', 'restricted'],
  // For 15 minutes.
  ...['orders', 'queueHosts'],
]

/** The keys that name a tenant, and such entries of other keys. */
function naming(contents: ReadonlyMap<string, readonly string[]>, tenant: string): string[] {
  return [...contents].flatMap(([key, entries]) =>
    key.includes(tenant) ? [key] : entries.filter((entry) => entry.includes(tenant)),
  )
}

/** Without receipts, which expire and have no address. */
function lasting(contents: ReadonlyMap<string, string[]>): Map<string, string[]> {
  return new Map([...contents].filter(([key]) => !key.includes(':receipt:')))
}

async function removedSite(): Promise<Site> {
  const site = await fullSite()
  await removeTenant(site.registry.store, 'contoso')
  await new Cases(site.store).closeOfRemoved('contoso', 'ann')
  return site
}

describe('a purge', () => {
  it('is tested with every key of a tenant', async () => {
    const site = newSite()
    const expected = keysOf('contoso')
    assert.deepEqual(
      Object.keys(expected).sort(),
      Object.getOwnPropertyNames(Keys.prototype)
        .filter(
          (name) =>
            !['constructor', 'unattributedDay', 'signature', 'confirmations'].includes(name),
        )
        // Shared by all tenants: see what is left of a purged one.
        .filter((name) => !name.startsWith('order') && name !== 'mailIndex')
        .sort(),
    )
    const seen: string[] = []
    const look = async (): Promise<void> => {
      seen.push(...(await contentsOf(site.store)).keys())
    }
    // Some keys exist at one of these moments only.
    await fill(site, 'contoso', look)
    await look()
    await removeTenant(site.registry.store, 'contoso')
    await look()
    for (const [name, pattern] of Object.entries(expected)) {
      assert.ok(
        seen.some((key) => pattern.test(key)),
        name,
      )
    }
  })

  it('is tested with every shared key that names a tenant', async () => {
    const { store } = await fullSite()
    const contents = await contentsOf(store)
    const unnamed = Object.entries(store.keys as unknown as Record<string, string>)
      .filter(([, key]) => naming(new Map([['', contents.get(key) ?? []]]), 'contoso').length === 0)
      .map(([name]) => name)
    assert.deepEqual(unnamed.sort(), [...NAMELESS].sort())
  })
})

describe('a purged tenant', () => {
  it('is named only by the audit entry that says who purged it', async () => {
    const { store, registry } = await removedSite()
    await purgeTenant(store, 'contoso')
    const left = lasting(await contentsOf(store))
    const [entry, ...more] = naming(left, 'contoso')
    assert.deepEqual(more, [])
    assert.match(entry!, /^\d+\tcontoso\ttenant purged\t\t\tann\ttenantctl\t$/)
    const entries = await readTenantAudit(store, 'contoso', 0)
    assert.deepEqual(
      entries.map(({ subject, what, os }) => [subject, what, os]),
      [['contoso', 'tenant purged', 'ann']],
    )
    const { client, keys } = store
    const alerts = await client.hkeys(keys.eventGroups)
    const due = await client.zrange(keys.eventsDue, '0', '-1')
    assert.deepEqual(
      due.filter((alert) => !alerts.includes(alert)),
      [],
    )
    // Its case numbers begin again.
    await registry.tenants.add('contoso', {}, 'ann')
    const act = { scope: 'all', by: 'ann', reason: 'x' } as const
    await new Restrictions(store).place('contoso', act)
    assert.equal(await new Cases(store).ensure('contoso'), 'contoso:1')
  })

  it('has no report left from a longer [report] days', async () => {
    const { store } = await removedSite()
    const { client, keys } = store
    const now = Date.now()
    const old = [
      keys.reportDay('contoso', Math.floor(now / DAY) - MOST_DAYS_KEPT),
      keys.samples('contoso', Math.floor(now / DAY) - MOST_DAYS_KEPT),
      keys.reportHour('contoso', Math.floor((now - HOURS_TTL) / HOUR) - 1),
      keys.reportMinutes('contoso', Math.floor((now - MINUTES_TTL) / HOUR) - 1),
    ]
    for (const key of old) await client.hset(key, 'x', '1')
    await client.pfadd(keys.reportOthers(old[0]!), 'x')
    await purgeTenant(store, 'contoso')
    assert.equal(await client.exists(...old, keys.reportOthers(old[0]!)), 0)
  })

  it('is removed as an owner from the reports of others, whose counts stay', async () => {
    const { store } = await removedSite()
    const { client, keys } = store
    const days = [0, 40, MOST_DAYS_KEPT].map((ago) =>
      keys.reportDay('fabrikam', Math.floor(Date.now() / DAY) - ago),
    )
    const owned = ownedField({ domain: 'contoso-mail.example', owner: 'contoso' })
    const nameless = ownedField({ domain: 'contoso-mail.example', owner: '' })
    const others = ownedField({ domain: 'contoso-mail.example', owner: 'contoso-2' })
    for (const day of days) await client.hset(day, owned, '1 2 3 4 5 6 7 8 100 200', others, '9')
    await client.hset(days[1]!, nameless, '1 1 1 1 1 1 1 1 50 150')
    await client.pexpire(days[1]!, DAY)
    await purgeTenant(store, 'contoso')
    for (const day of days) {
      const report = await client.hgetall(day)
      assert.equal(report[owned], undefined)
      assert.equal(report[others], '9')
      const sum = day === days[1] ? '2 3 4 5 6 7 8 9 50 200' : '1 2 3 4 5 6 7 8 100 200'
      assert.equal(report[nameless], sum)
    }
    assert.ok((await client.pttl(days[1]!)) > 0)
  })

  it('leaves the data of other tenants unchanged', async () => {
    const { store } = await removedSite()
    const others = async (): Promise<string[]> => {
      const contents = [...(await contentsOf(store))].filter(([key]) => !key.includes('contoso'))
      return naming(new Map(contents), 'fabrikam')
    }
    const before = await others()
    await purgeTenant(store, 'contoso')
    assert.ok(before.length > 20)
    assert.deepEqual(await others(), before)
  })

  it('leaves receipts, which have no address or domain and expire', async () => {
    const { store } = await removedSite()
    await purgeTenant(store, 'contoso')
    const key = store.keys.receipt('contoso', 'F1')
    assert.doesNotMatch(JSON.stringify(await store.client.hgetall(key)), /lure|192\.|@/)
    const left = await store.client.pttl(key)
    assert.ok(left > 0 && left <= HOUR, String(left))
  })

  it('can be purged again after an interruption at any command', async () => {
    for (let commands = 1; commands < 60; commands += 3) {
      const site = await removedSite()
      await purgeTenant(site.connectUntil(commands), 'contoso').catch(() => {})
      await purgeTenant(site.store, 'contoso')
      const left = naming(lasting(await contentsOf(site.store)), 'contoso')
      assert.ok(
        left.every((entry) => entry.includes('\ttenant purged\t')),
        `${commands}: ${left.join('\n')}`,
      )
    }
  })

  it('is not purged if it exists again', async () => {
    const { store, registry } = await removedSite()
    await registry.tenants.add('contoso', {}, 'ann')
    const before = await contentsOf(store)
    await assert.rejects(purgeTenant(store, 'contoso'), RefusedError)
    assert.deepEqual(await contentsOf(store), before)
  })
})
