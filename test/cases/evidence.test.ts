import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { describe, it } from 'node:test'
import { formatEvidence, parseEvidence, type Evidence } from '../../src/cases/evidence'
import { Cases, EVIDENCE_KEPT } from '../../src/cases/cases'
import { completeEvidence } from '../../src/cases/complete'
import { FOLLOWED } from '../../src/cases/minutes'
import { readEvidence } from '../../src/cases/read-evidence'
import type { RestrictedEvent } from '../../src/records/event'
import { DAY, HOUR, MINUTE } from '../../src/reporting/calendar'
import { NOTHING } from '../../src/reporting/counts'
import { OTHER } from '../../src/reporting/rows'
import type { Store } from '../../src/store/store'
import { freeze, trip } from '../support/evidence'
import { newSite, useRedis, type Site } from '../support/registry'
import { countsOf, record, recordHeaderFrom, recordSamples } from '../support/reports'
import { formatTemporary } from '../../src/mail/temporary'
import { TenantRegistry } from '../../src/registry/tenant-registry'

useRedis()

async function newTenant(settings: { limits?: string } = {}): Promise<Site> {
  const site = newSite()
  await site.registry.tenants.add('contoso', settings, 'test')
  return site
}

async function evidenceOf({ client, keys }: Store, number = 1): Promise<Evidence> {
  return parseEvidence((await client.get(keys.evidence('contoso', number))) ?? '')
}

/** The start of the minute of a restriction. */
const minuteOf = ({ at }: RestrictedEvent): number => Math.floor(at / MINUTE) * MINUTE

/** Distance from the restriction in minutes, class, connector, recipients. */
function briefly({ event, minutes }: Evidence): unknown[] {
  return minutes.map((row) => [
    (row.at - minuteOf(event)) / MINUTE,
    ...[row.class, row.connector, row.counts.accepted],
  ])
}

/** Evidence as it was frozen seconds after a restriction that is long past. */
async function freezeAsThen(store: Store, event: RestrictedEvent): Promise<void> {
  assert.equal(await freeze(store, event), 'frozen')
  const kept = { ...(await evidenceOf(store)), minutesComplete: false }
  await store.client.set(store.keys.evidence('contoso', 1), formatEvidence(kept))
}

describe('the evidence of a case', () => {
  it('has the last 24 hours, top senders, samples, meter, limits, node and changes', async () => {
    const { store, registry } = await newTenant()
    const event = trip(1)
    const ago = (hours: number): number => event.at - hours * HOUR
    const web = { connector: 'contoso/web', domain: 'shop.example', ip: '192.0.2.20' }
    await record(
      store,
      'contoso',
      { at: ago(0), accepted: 300, messages: { accepted: 30 } },
      { at: ago(0), accepted: 2, user: 'bob', ...web },
      { at: ago(5), accepted: 5, class: 'registered' },
      { at: ago(26), accepted: 99, domain: 'old.example' },
    )
    await recordSamples(store, 'contoso', event.at, {}, ['<1@lure.example>', 'mail.example'])
    await registry.connectors.add('contoso', 'exchange', { ip: ['192.0.2.10'] }, 'mallory')

    assert.equal(await freeze(store, event), 'frozen')
    const found = await evidenceOf(store)
    assert.deepEqual(found.event, event)
    assert.deepEqual([found.tenant, found.case, found.version], ['contoso', 'contoso:1', 2])
    assert.deepEqual(found.node, { host: hostname(), pid: process.pid })
    assert.ok(Math.abs(found.frozenAt - Date.now()) < 60_000)
    assert.deepEqual(
      [found.mode, found.limits, found.limitsFrom, found.nullLimits],
      ['enforce', '300/1h, 1500/1d', 'default', '300/1h, 1500/1d'],
    )
    assert.deepEqual(
      found.unregistered.map(({ window, limit, used }) => [window, limit, used]),
      [
        [HOUR, 300, 0],
        [DAY, 1500, 0],
      ],
    )
    assert.deepEqual(
      found.hours.map((hour) => [hour.unregistered.accepted, hour.registered.accepted]),
      [
        [0, 5],
        [302, 0],
      ],
    )
    const keys = (of: keyof Evidence['top']): unknown[] =>
      found.top[of].map(({ key, counts }) => [key, counts.accepted])
    assert.deepEqual(keys('domain'), [
      ['lure.example', 300],
      ['shop.example', 2],
    ])
    assert.deepEqual(keys('connector'), [
      ['contoso/mx', 300],
      ['contoso/web', 2],
    ])
    assert.deepEqual(keys('ip'), [
      ['192.0.2.1', 300],
      ['192.0.2.20', 2],
    ])
    assert.deepEqual(keys('user'), [
      ['', 300],
      ['bob', 2],
    ])
    assert.deepEqual(
      found.samples.map(({ messageId, helo }) => [messageId, helo]),
      [['<1@lure.example>', 'mail.example']],
    )
    assert.deepEqual(
      found.changes.map(({ subject, what }) => [subject, what]),
      [
        ['contoso/exchange', 'connector added'],
        ['contoso', 'tenant added'],
      ],
    )
  })

  it('has foreign mail with owners, forwarded mail, and mismatched header Froms', async () => {
    const { store } = await newTenant()
    const event = trip(1)
    await record(
      store,
      'contoso',
      { at: event.at, accepted: 300 },
      { at: event.at, accepted: 7, class: 'foreign', domain: 'news.fabrikam.com' },
      { at: event.at, accepted: 9, class: 'forwarded' },
    )
    const looked = { looked: 120, mismatched: { 'bank.example': 2, 'post.example': 1 } }
    await recordHeaderFrom(store, 'contoso', { at: event.at, ...looked })
    await freeze(store, event)
    const found = await evidenceOf(store)
    assert.deepEqual(
      found.top.domain.map((sum) => [sum.key, sum.class, sum.counts.accepted]),
      [
        ['lure.example', 'unregistered', 300],
        ['lure.example', 'forwarded', 9],
        ['news.fabrikam.com', 'foreign', 7],
      ],
    )
    assert.deepEqual(
      found.foreign.map(({ domain, owner, counts }) => [domain, owner, counts.accepted]),
      [['news.fabrikam.com', 'fabrikam', 7]],
    )
    const { headerFrom } = found
    assert.deepEqual([headerFrom?.looked, headerFrom?.mismatched], [120, 3])
    assert.deepEqual(
      headerFrom?.domains.map(({ domain, messages }) => [domain, messages]),
      [
        ['bank.example', 2],
        ['post.example', 1],
      ],
    )
    const hour = found.hours.find((each) => each.foreign.accepted > 0)
    assert.deepEqual([hour?.forwarded.accepted, hour?.headerFrom.looked], [9, 120])
  })

  it('of an earlier version is read with zero for what it lacks', () => {
    const counts = countsOf({ at: 5, accepted: 3 })
    const hour = { at: 0, unregistered: counts, registered: NOTHING, null: NOTHING }
    const source = { domain: 'a.example', connector: '', ip: '', user: '' }
    const earlier = {
      ...{ version: 1, tenant: 'contoso', event: trip(1), hours: [hour] },
      top: { domain: [{ key: 'a.example', counts }], connector: [], ip: [], user: [] },
      samples: [{ ...source, at: 0, messageId: '<1@x>', helo: '' }],
    }
    const found = parseEvidence(JSON.stringify(earlier))
    assert.deepEqual(found.hours, [
      {
        ...{ ...hour, foreign: NOTHING, forwarded: NOTHING },
        headerFrom: { looked: 0, mismatched: 0 },
        nullHeaderFrom: { looked: 0, mismatched: 0 },
      },
    ])
    assert.deepEqual(found.top.domain, [{ key: 'a.example', class: 'unregistered', counts }])
    assert.equal(found.samples[0]?.class, 'unregistered')
    assert.deepEqual([found.foreign, found.headerFrom], [[], undefined])
    assert.deepEqual([found.minutes, found.minutesComplete], [[], false])
  })

  it('has the minutes from two hours before, of three connectors of each class', async () => {
    const { store } = await newTenant()
    const event = trip(1)
    const ago = (minutes: number): number => minuteOf(event) - minutes * MINUTE
    await record(
      store,
      'contoso',
      { at: ago(121), accepted: 1 },
      { at: ago(120), accepted: 100 },
      { at: ago(1), accepted: 3, class: 'registered' },
      ...[7, 6, 5, 4, 3, 2, 1].map((many) => ({
        ...{ at: ago(0), accepted: 10 * many, connector: `contoso/c${many}` },
      })),
    )
    await freeze(store, event)
    const found = await evidenceOf(store)
    assert.equal(found.minutesComplete, false)
    assert.deepEqual(briefly(found), [
      [-120, 'unregistered', 'contoso/mx', 100],
      [-1, 'registered', 'contoso/mx', 3],
      ...[7, 6].map((many) => [0, 'unregistered', `contoso/c${many}`, 10 * many]),
      [0, 'unregistered', OTHER, 150],
    ])
    assert.equal(found.minutes[0]?.counts.firstSeen, ago(120))
  })

  it('is shown with the minutes since, which it keeps once the hour is over', async () => {
    const { store } = await newTenant()
    const event = trip(1)
    await record(store, 'contoso', { at: event.at - 10 * MINUTE, accepted: 9 })
    await freeze(store, event)
    const frozen = await store.client.get(store.keys.evidence('contoso', 1))
    await record(store, 'contoso', { at: event.at, accepted: 5, class: 'registered' })
    assert.deepEqual(briefly(await readEvidence(store, 'contoso')), [
      [-10, 'unregistered', 'contoso/mx', 9],
      [0, 'registered', 'contoso/mx', 5],
    ])
    await new Cases(store).handleEvent('contoso', event)
    await completeEvidence(store).run()
    assert.equal(await store.client.get(store.keys.evidence('contoso', 1)), frozen)
  })

  it('gets the minutes of the hour after it once, though several processes add them', async () => {
    const site = await newTenant()
    const { store } = site
    const { client, keys } = store
    const event = trip(1, { at: Date.now() - FOLLOWED - 1000 })
    const at = (minutes: number): number => minuteOf(event) + minutes * MINUTE
    await record(store, 'contoso', { at: at(-30), accepted: 9 })
    await freezeAsThen(store, event)
    await new Cases(store).handleEvent('contoso', event)
    // They are no longer there when the hour is over.
    await client.del(keys.reportMinutes('contoso', Math.floor(at(-30) / HOUR)))
    await record(
      store,
      'contoso',
      { at: at(0), accepted: 300, messages: { accepted: 60 } },
      { at: at(59), accepted: 4, class: 'registered' },
      { at: at(60), accepted: 7 },
    )
    await client.pexpire(keys.evidence('contoso', 1), 5 * HOUR)
    const stores = [store, site.connect(), site.connect()]
    const duties = stores.map((each) => completeEvidence(each))
    await Promise.all(duties.map((duty) => duty.run()))
    const found = await evidenceOf(store)
    assert.equal(found.minutesComplete, true)
    assert.deepEqual(briefly(found), [
      [-30, 'unregistered', 'contoso/mx', 9],
      [0, 'unregistered', 'contoso/mx', 300],
      [59, 'registered', 'contoso/mx', 4],
    ])
    assert.deepEqual(found.event, event)
    const text = await client.get(keys.evidence('contoso', 1))
    await record(store, 'contoso', { at: at(59), accepted: 40 })
    await Promise.all([...duties, completeEvidence(store)].map((duty) => duty.run()))
    assert.equal(await client.get(keys.evidence('contoso', 1)), text)
    assert.deepEqual(briefly(await readEvidence(store, 'contoso:1')), briefly(found))
    const left = await client.pttl(keys.evidence('contoso', 1))
    assert.ok(left > 4 * HOUR, String(left))
  })

  it('does not come back with its minutes once it is gone', async () => {
    const { store } = await newTenant()
    const event = trip(1, { at: Date.now() - FOLLOWED - 1000 })
    await freezeAsThen(store, event)
    await new Cases(store).handleEvent('contoso', event)
    const key = store.keys.evidence('contoso', 1)
    const run = (...args: Parameters<Store['run']>): Promise<unknown> => store.run(...args)
    const vanishing = Object.assign(Object.create(store) as Store, {
      run: async (...args: Parameters<Store['run']>) => {
        if (args[0].name === 'evidence_complete') await store.client.del(key)
        return run(...args)
      },
    })
    await completeEvidence(vanishing).run()
    assert.equal(await store.client.exists(key), 0)
  })

  it('says where the limits come from', async () => {
    const { store } = await newTenant({ limits: '5/1h' })
    await freeze(store, trip(1))
    const own = await evidenceOf(store)
    assert.deepEqual([own.limits, own.limitsFrom], ['5/1h', 'tenant'])
    const until = Date.now() + HOUR
    await new TenantRegistry(store).set('contoso', {
      temporaryLimits: formatTemporary({ limits: '9/1h', until }),
      temporaryNullLimits: formatTemporary({ limits: '8/1h', until }),
    })
    await freeze(store, trip(2))
    const second = await evidenceOf(store, 2)
    assert.deepEqual(
      [second.limits, second.limitsFrom, second.nullLimits],
      ['9/1h', 'temporary', '8/1h'],
    )
    await store.client.hset(store.keys.tenant('contoso'), 'probation', `${until}\t2/1h\tcontoso:1`)
    await freeze(store, trip(3, { probation: true }))
    const third = await evidenceOf(store, 3)
    assert.deepEqual([third.limits, third.limitsFrom], ['2/1h', 'probation'])
  })

  it('is kept as first frozen, if several processes freeze it several times', async () => {
    const site = await newTenant()
    const { store } = site
    const event = trip(1)
    const answers = await Promise.all([freeze(store, event), freeze(site.connect(), event)])
    assert.deepEqual(answers.sort(), ['frozen', 'there'])
    const first = await store.client.get(store.keys.evidence('contoso', 1))
    await record(store, 'contoso', { at: event.at, accepted: 1 })
    assert.equal(await freeze(store, event), 'there')
    assert.equal(await store.client.get(store.keys.evidence('contoso', 1)), first)
    assert.equal(await store.client.pttl(store.keys.evidence('contoso', 1)), -1)
  })

  it('waits until all processes have flushed their counts', async () => {
    const { store } = await newTenant()
    const event = trip(1, { at: Date.now() })
    let flushedAt = 0
    const flush = async (tenant: string): Promise<void> => {
      flushedAt = Date.now()
      await record(store, tenant, { at: event.at, accepted: 7 })
    }
    assert.equal(await freeze(store, event, { flush }), 'frozen')
    assert.ok(flushedAt - event.at >= 1490, String(flushedAt - event.at))
    assert.equal((await evidenceOf(store)).top.domain[0]?.counts.accepted, 7)
  })

  it('expires if its case is already closed', async () => {
    const { store } = await newTenant()
    const { client, keys } = store
    await client.hset(keys.caseOf('contoso', 1), { opened: 1, closed: '2\tann\tdone' })
    assert.equal(await freeze(store, trip(1)), 'frozen')
    const left = await client.pttl(keys.evidence('contoso', 1))
    assert.ok(left > EVIDENCE_KEPT - 60_000 && left <= EVIDENCE_KEPT, String(left))
  })

  it('is not stored for a removed tenant', async () => {
    const { store } = await newTenant()
    const { client, keys } = store
    const event = trip(1)
    // Removed after everything was read.
    const run = (...args: Parameters<Store['run']>): Promise<unknown> => store.run(...args)
    const vanishing = Object.assign(Object.create(store) as Store, {
      run: async (...args: Parameters<Store['run']>) => {
        if (args[0].name === 'evidence_freeze') await client.del(keys.tenant('contoso'))
        return run(...args)
      },
    })
    assert.equal(await freeze(vanishing, event), 'gone')
    assert.equal(await client.exists(keys.evidence('contoso', 1)), 0)
  })

  it('takes less than 350 KB, whatever a sender chooses', async () => {
    const { store } = await newTenant()
    const { client, keys } = store
    const event = trip(1, { reason: 'ü'.repeat(5000) })
    const long = (text: string, length: number): string => text.padEnd(length, 'ü')
    const sources = Array.from({ length: 100 }, (_, at) => ({
      domain: `${String(at).padEnd(249, 'x')}.example`,
      connector: `contoso/${'c'.repeat(60)}${at}`,
      ip: `2001:db8:ffff:${at}::/64`,
      user: long(`u${at}`, 64),
    }))
    for (const source of sources) {
      await record(store, 'contoso', { ...source, at: event.at, accepted: 1e9 })
      const sample = [long('<1', 64), long('helo', 32)] as const
      await recordSamples(store, 'contoso', event.at, source, sample, sample, sample)
    }
    for (let back = 1; back < 25; back++) {
      for (const each of ['unregistered', 'foreign', 'forwarded', 'registered', 'null'] as const) {
        await record(store, 'contoso', { at: event.at - back * HOUR, accepted: 1e9, class: each })
      }
    }
    for (const [at, { domain, connector }] of sources.slice(0, 50).entries()) {
      const owner = `o${at}`.padEnd(63, 'x')
      const mail = { at: event.at, accepted: 1e9, domain, owner }
      await record(store, 'contoso', { ...mail, class: 'foreign' })
      const mismatched = { [`${domain}\t${connector}`]: 1e9 }
      const looked = { at: event.at, looked: 1e9, mismatched }
      await recordHeaderFrom(store, 'contoso', looked, { ...looked, of: 'null' })
    }
    const texts = Array<string>(5).fill('ü'.repeat(9000))
    for (let back = 0; back < 80; back++) {
      const entry = [event.at - back, '', 'domains added', ...texts].join('\t')
      await client.lpush(keys.audit('contoso'), entry)
    }
    // All minutes, of six connectors of each class.
    const hour = Math.floor(event.at / HOUR)
    const lines = Array.from({ length: 60 }, (_, at) => `\n${at} 9000 0 9000 0 9000 0 9000 0`)
    const fields = [...'uxfrn'].flatMap((letter) =>
      sources.slice(0, 6).map(({ connector }) => [`${letter}\t${connector}`, lines.join('')]),
    )
    for (const each of [hour - 2, hour - 1, hour, hour + 1]) {
      const key = keys.reportMinutes('contoso', each)
      await client.del(key)
      await client.hset(key, new Map(fields as [string, string][]))
    }
    await freeze(store, event)
    const text = (await client.getBuffer(keys.evidence('contoso', 1)))!
    const found = parseEvidence(text.toString())
    assert.equal(found.top.domain.length, 20)
    assert.equal(found.samples.length, 50)
    assert.equal(found.nullHeaderFrom?.domains.length, 20)
    assert.equal(found.changes.length, 50)
    assert.equal(found.minutes.length, 5 * 4 * 180)
    assert.ok(text.length < 350_000, String(text.length))
  })

  it('counts the domains without their own row', async () => {
    const { store } = await newTenant()
    const event = trip(1)
    await record(store, 'contoso', { at: event.at, accepted: 9, domain: OTHER })
    const hour = store.keys.reportHour('contoso', Math.floor(event.at / HOUR))
    const names = Array.from({ length: 200 }, (_, at) => `d${at}.example`)
    await store.client.pfadd(store.keys.reportOthers(hour), ...names)
    await freeze(store, event)
    const found = await evidenceOf(store)
    assert.ok(Math.abs(found.otherDomains - 200) < 10, String(found.otherDomains))
    assert.deepEqual(found.top.domain, [
      {
        ...{ class: 'unregistered', key: OTHER },
        counts: countsOf({ at: event.at, accepted: 9 }),
      },
    ])
  })
})
