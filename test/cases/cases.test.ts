import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readTenantAudit } from '../../src/audit/reader'
import { openSteps, parseCaseName } from '../../src/cases/case'
import { Cases, EVIDENCE_KEPT, MOST_NOTES, RECORD_KEPT } from '../../src/cases/cases'
import { InputError, NotFoundError, RefusedError } from '../../src/base/errors'
import type { LiftedEvent, RestrictedEvent } from '../../src/records/event'
import { Restrictions } from '../../src/allowance/restriction'
import { NOTHING } from '../../src/reporting/counts'
import { findingsOf } from '../../src/cases/findings'
import { newSite, signedBy, useRedis, type Site } from '../support/registry'
import { removeTenant } from '../../src/registry/tenant-removal'
import { packCounts, sourceField } from '../support/report-fields'

useRedis()

const ANN = { by: 'ann', text: 'looked' }
const HOUR = 3_600_000
const DAY = 24 * HOUR

interface CaseSite extends Site {
  readonly cases: Cases
  readonly restrictions: Restrictions
}

async function newCaseSite(): Promise<CaseSite> {
  const site = signedBy('ann\ttenantctl\t', newSite())
  await site.registry.tenants.add('contoso', { limits: '5/1h' }, 'ann')
  return { ...site, cases: new Cases(site.store), restrictions: new Restrictions(site.store) }
}

const place = ({ restrictions }: CaseSite): Promise<string> =>
  restrictions.place('contoso', { scope: 'unregistered', by: 'ann', reason: 'phishing' })
const lift = ({ restrictions }: CaseSite, more: object = {}): Promise<string> =>
  restrictions.lift('contoso', { by: 'bob', reason: 'clean', keepUsage: false, ...more })

const tripped = (at: number, more: object = {}): RestrictedEvent => ({
  kind: 'restricted',
  id: 'evt_1',
  at,
  scope: 'unregistered',
  by: 'automatic',
  reason: 'allowance of 5/1h exceeded',
  case: 'contoso:1',
  trigger: {
    window: HOUR,
    limit: 5,
    used: 5,
    domain: 'lure.example',
    connector: 'contoso/web',
    ip: '192.0.2.7',
  },
  ...more,
})

const whats = async ({ store }: Site): Promise<string[]> =>
  (await readTenantAudit(store, 'contoso', 0)).map(({ what }) => what)

describe('a case', () => {
  it('is opened once by a trip, if several processes handle it several times', async () => {
    const site = await newCaseSite()
    const others = Array.from({ length: 4 }, () => new Cases(site.connect()))
    await Promise.all(others.map((each) => each.handleEvent('contoso', tripped(1000))))
    await site.cases.handleEvent('contoso', tripped(1000))
    const [found, ...rest] = await site.cases.list()
    assert.equal(rest.length, 0)
    const { name, opened, by, reason, trigger, event, closed } = found!
    assert.deepEqual(
      [name, opened, by, reason, event, closed],
      ['contoso:1', 1000, 'automatic', 'allowance of 5/1h exceeded', 'evt_1', undefined],
    )
    assert.deepEqual(trigger, tripped(0).trigger)
    assert.deepEqual(openSteps(found!), ['domains', 'connectors', 'servers', 'proof'])
    const entries = await readTenantAudit(site.store, 'contoso', 0)
    assert.deepEqual(
      entries.slice(1).map(({ subject, what, to, note }) => [subject, what, to, note]),
      [
        [
          'contoso:1',
          'restriction tripped',
          'unregistered: allowance of 5/1h exceeded; 5 in 1h reached, from lure.example, connector contoso/web, 192.0.2.7',
          'automatic',
        ],
      ],
    )
  })

  it('is opened by a block, from the restriction alone', async () => {
    const site = await newCaseSite()
    await place(site)
    assert.equal(await site.cases.ensure('contoso'), 'contoso:1')
    assert.equal(await site.cases.ensure('contoso'), 'contoso:1')
    const found = await site.cases.existing('contoso:1')
    assert.deepEqual([found.by, found.reason, found.trigger], ['ann', 'phishing', undefined])
    assert.deepEqual(await whats(site), ['tenant added', 'restriction placed'])
  })

  it('is not opened for a restriction that is older than cases', async () => {
    const site = await newCaseSite()
    await place(site)
    await site.store.client.hdel(site.store.keys.restriction('contoso'), 'case', 'event')
    assert.equal(await site.cases.ensure('contoso'), undefined)
    assert.equal(await lift(site), 'lifted')
    assert.deepEqual(await site.cases.list('contoso'), [])
  })

  it('is not opened for a removed tenant', async () => {
    const site = await newCaseSite()
    await removeTenant(site.registry.store, 'contoso')
    await site.cases.handleEvent('contoso', tripped(1000))
    assert.deepEqual(await site.cases.list(), [])
    assert.deepEqual(await site.store.client.keys(`${site.store.keys.prefix}*case*`), [])
  })

  it('is ticked, noted, lifted and closed, with audit entries of each', async () => {
    const site = await newCaseSite()
    const { cases, store } = site
    await place(site)
    await cases.ensure('contoso')
    assert.equal(await cases.check('contoso:1', ['servers'], ANN), 'checked')
    assert.equal(await cases.check('contoso:1', ['servers'], ANN), 'unchanged')
    assert.equal(await cases.check('contoso:1', ['servers'], { ...ANN, text: 'anew' }), 'checked')
    await cases.note('contoso:1', ANN)
    await assert.rejects(cases.close('contoso:1', ANN), RefusedError)
    await lift(site, { probation: { limits: '2/1h', duration: DAY } })
    await cases.noteLift('contoso:1')
    await store.client.set(store.keys.evidence('contoso', 1), '{}')
    assert.equal(await cases.close('contoso:1', { by: 'bob', text: 'done' }), 'closed')
    assert.equal(await cases.close('contoso:1', ANN), 'unchanged')
    await assert.rejects(cases.check('contoso:1', ['proof'], ANN), RefusedError)

    const found = await cases.existing('contoso:1')
    assert.deepEqual(openSteps(found), ['domains', 'connectors', 'proof'])
    assert.equal(found.ticks.get('servers')?.text, 'anew')
    assert.deepEqual(
      found.notes.map(({ by, text }) => [by, text]),
      [['ann', 'looked']],
    )
    assert.deepEqual([found.lifted?.by, found.lifted?.text], ['bob', 'clean'])
    assert.equal(found.probation?.limits, '2/1h')
    assert.ok(Math.abs(found.probation.until - Date.now() - DAY) < HOUR)
    assert.deepEqual([found.closed?.by, found.closed?.text], ['bob', 'done'])
    assert.deepEqual(await whats(site), [
      'tenant added',
      'restriction placed',
      'case checked: servers',
      'case checked: servers',
      'case noted',
      'restriction lifted',
      'case closed',
    ])
    const ttl = (key: string): Promise<number> => store.client.pttl(key)
    const near = (left: number, whole: number): boolean => left <= whole && left > whole - HOUR
    assert.ok(near(await ttl(store.keys.caseOf('contoso', 1)), RECORD_KEPT))
    assert.ok(near(await ttl(store.keys.evidence('contoso', 1)), EVIDENCE_KEPT))
  })

  it('does not expire while it is open', async () => {
    const site = await newCaseSite()
    await place(site)
    await site.cases.ensure('contoso')
    await site.cases.note('contoso:1', ANN)
    await lift(site)
    assert.equal(await site.store.client.pttl(site.store.keys.caseOf('contoso', 1)), -1)
  })

  it('has its lift from the event, as noted by the command', async () => {
    const site = await newCaseSite()
    await site.cases.handleEvent('contoso', tripped(1000))
    const lifted: LiftedEvent = {
      ...{ kind: 'lifted', id: 'evt_2', at: 2000, by: 'bob', reason: 'clean' },
      ...{ case: 'contoso:1', resolves: 'evt_1', probation: { limits: '2/1h', until: 9000 } },
    }
    for (let times = 0; times < 2; times++) await site.cases.handleEvent('contoso', lifted)
    await site.cases.handleEvent('contoso', { ...lifted, case: '' })
    await site.cases.handleEvent('contoso', { ...lifted, case: 'contoso:7' })
    const found = await site.cases.existing('contoso:1')
    assert.deepEqual(found.lifted, { at: 2000, by: 'bob', text: 'clean' })
    assert.deepEqual(found.probation, { limits: '2/1h', until: 9000 })
    assert.equal(await site.cases.get('contoso:7'), undefined)
  })

  it('keeps all notes and ticks of two concurrent operators', async () => {
    const site = await newCaseSite()
    await place(site)
    await site.cases.ensure('contoso')
    const [ann, bob] = [new Cases(site.connect()), new Cases(site.connect())]
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        (at % 2 ? ann : bob).note('contoso:1', { by: 'x', text: `n${at}` }),
      ),
    )
    await Promise.all([
      ann.check('contoso:1', ['domains'], ANN),
      bob.check('contoso:1', ['proof'], ANN),
    ])
    const { notes, ticks } = await site.cases.existing('contoso:1')
    assert.deepEqual(
      notes.map(({ text }) => text).sort(),
      Array.from({ length: 20 }, (_, at) => `n${at}`).sort(),
    )
    assert.deepEqual([...ticks.keys()], ['domains', 'proof'])
    await lift(site)
    const closings = await Promise.all([ann.close('contoso:1', ANN), bob.close('contoso:1', ANN)])
    assert.deepEqual(closings.sort(), ['closed', 'unchanged'])
  })

  it(`has up to ${MOST_NOTES} notes`, async () => {
    const site = await newCaseSite()
    await site.cases.handleEvent('contoso', tripped(1000))
    for (let at = 0; at < MOST_NOTES; at++) await site.cases.note('contoso:1', ANN)
    await assert.rejects(site.cases.note('contoso:1', ANN), RefusedError)
  })

  it('leaves the index when its record has expired', async () => {
    const site = await newCaseSite()
    const { client, keys } = site.store
    await site.cases.handleEvent('contoso', tripped(1000))
    await client.del(keys.caseOf('contoso', 1))
    await site.cases.handleEvent('contoso', tripped(2000, { case: 'contoso:2' }))
    assert.deepEqual(await client.zrange(keys.caseIndex, '0', '-1'), ['contoso:2'])
  })

  it('that does not exist is not found', async () => {
    const { cases } = await newCaseSite()
    await assert.rejects(cases.note('contoso:9', ANN), NotFoundError)
    await assert.rejects(cases.check('contoso:9', ['proof'], ANN), NotFoundError)
    await assert.rejects(cases.close('contoso:9', ANN), NotFoundError)
    const names = ['contoso', 'contoso:', 'contoso:0', 'contoso:x', ':1', 'A:1', '@cases:1']
    for (const name of [...names, ' contoso:1', 'contoso:1 ', 'contoso:1\n']) {
      assert.throws(() => parseCaseName(name), InputError, name)
    }
  })
})

describe('the findings of a case', () => {
  it('name unregistered domains, connectors to review, and sources', async () => {
    const site = await newCaseSite()
    const { store, registry, cases } = site
    const { client, keys } = store
    const now = Date.now()
    await registry.connectors.add('contoso', 'web', { ip: ['192.0.2.7'] }, 'ann')
    await registry.connectors.add('contoso', 'old', { ip: ['192.0.2.8'] }, 'ann')
    await client.lrem(keys.connectorsAudit, 1, (await client.lindex(keys.connectorsAudit, 1))!)
    const row = (domain: string, accepted: number, user = ''): Promise<number> =>
      client.hset(
        keys.reportHour('contoso', Math.floor(now / HOUR)),
        sourceField({ domain, connector: 'contoso/web', ip: '192.0.2.7', user }),
        packCounts({ ...NOTHING, accepted, refused: 1 }),
      )
    await row('lure.example', 40)
    await row('shop.contoso.com', 9, 'web')
    await row('refused.example', 0)
    // Mail refused at MAIL has no recipients.
    const refusedAtMail = sourceField({
      domain: '(other)',
      connector: '',
      ip: '(other)',
      user: '(other)',
    })
    const key = keys.reportHour('contoso', Math.floor(now / HOUR))
    const messages = { ...NOTHING.messages, refused: 25 }
    await client.hset(key, refusedAtMail, packCounts({ ...NOTHING, messages }))
    await cases.handleEvent('contoso', tripped(now))
    const known = async () => findingsOf(store, await cases.existing('contoso:1'), Date.now())
    const before = await known()
    assert.deepEqual(before.domains, [
      { domain: 'lure.example', accepted: 40 },
      { domain: 'shop.contoso.com', accepted: 9 },
    ])
    assert.deepEqual(before.connectors, [
      { connector: 'contoso/web', why: 'the case began with it, added' },
    ])
    assert.deepEqual(before.ips, [{ source: '192.0.2.7', recipients: 52 }])
    assert.deepEqual(before.users, [{ source: 'web', recipients: 10 }])

    const wide = { domain: 'contoso.com', subdomains: true, shared: false }
    await registry.domains.add('contoso', [wide], 'ann')
    await cases.check('contoso:1', ['connectors'], ANN)
    const after = await known()
    assert.deepEqual(after.domains, [{ domain: 'lure.example', accepted: 40 }])
    assert.deepEqual(after.connectors, [])
  })
})

describe('the removal of a tenant', () => {
  it('closes its open cases, and keeps all until they expire', async () => {
    const site = await newCaseSite()
    await place(site)
    await site.cases.ensure('contoso')
    await lift(site)
    await removeTenant(site.registry.store, 'contoso')
    await site.cases.closeOfRemoved('contoso', 'ann')
    const [found] = await site.cases.list('contoso')
    assert.deepEqual([found?.closed?.by, found?.closed?.text], ['ann', 'tenant removed'])
  })
})
