import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Restrictions } from '../../src/allowance/restriction'
import { Snoozes } from '../../src/alerts/snoozes'
import { pauseEnforcement } from '../../src/enforcement/pause'
import { actorText } from '../../src/records/actor'
import { DAY } from '../../src/reporting/calendar'
import type { Store } from '../../src/store/store'
import { charge } from '../cli/charging'
import { newConsole, textOf, type ConsoleAtHand } from '../support/console'
import { beat, LONG_AGO } from '../support/nodes'
import { signedBy, theRedis, useRedis } from '../support/registry'
import { record } from '../support/reports'

useRedis()

const ANN = actorText({ os: 'ann', redis: 'default', note: '' })
const BY_PERSON = { scope: 'unregistered', by: 'ann', reason: 'taken over' } as const

async function withTenants(...ids: string[]): Promise<ConsoleAtHand> {
  const console = newConsole()
  for (const id of ids) await signedBy(ANN, console).registry.tenants.add(id, {}, 'ann')
  return console
}

describe('the overview', () => {
  it('says that all is quiet where it is', async () => {
    const text = textOf(await newConsole().as('viewer').page('/'))
    assert.match(
      text,
      /All is quiet: no person changed anything in the last 24 hours; no tenant is/,
    )
    assert.match(text, /no Haraka process has reported/)
  })

  it('shows the last 24 hours of the relay, registered mail too', async () => {
    const console = newConsole()
    await console.registry.tenants.add('contoso', {}, 'ann')
    await record(console.store, 'contoso', {
      ...{ at: Date.now(), accepted: 12, refused: 3 },
      messages: { accepted: 4, refused: 1 },
    })
    const { store } = console
    await record(store, 'contoso', { at: Date.now(), class: 'registered', accepted: 100 })
    const page = await console.as('viewer').page('/')
    assert.match(
      textOf(page),
      /Outcome Messages Recipients accepted 104 112 deferred 0 0 refused 1 3/,
    )
    assert.match(page, /<svg/)
  })

  it('shows what people changed, and not what happened by itself', async () => {
    const console = await withTenants('contoso')
    const trip = { ...BY_PERSON, by: 'automatic' }
    const automatic = signedBy(actorText({ os: '', redis: '', note: 'automatic' }), console)
    await new Restrictions(automatic.store).place('contoso', trip)
    const text = textOf(await console.as('viewer').page('/'))
    assert.match(text, /What people changed in the last 24 hours/)
    assert.match(text, /contoso tenant added .* ann, Redis user default/)
    assert.doesNotMatch(text, /tenant restricted .* automatic/)
  })

  it('shows restricted tenants by refused recipients a minute, with a link to the incident', async () => {
    const console = await withTenants('contoso', 'fabrikam')
    const { store } = console
    for (const id of ['contoso', 'fabrikam']) await new Restrictions(store).place(id, BY_PERSON)
    await record(store, 'fabrikam', { at: Date.now(), refused: 60 })
    const page = await console.as('viewer').page('/')
    assert.match(
      textOf(page),
      /Restricted now .*fabrikam .* taken over [1-9]\d* contoso .* taken over 0 /,
    )
    assert.match(page, /href="\/incidents\/fabrikam/)
    assert.match(textOf(page), /2 tenants restricted\./)
  })

  it('shows who is on probation, unusual and blocked, and which alerts wait', async () => {
    const console = await withTenants('contoso', 'fabrikam', 'strange')
    const { store, registry } = console
    const { client, keys } = store
    const now = Date.now()
    await client.zadd(keys.onProbation, now + DAY, 'contoso')
    await client.sadd(keys.unusualIndex, 'strange')
    await client.hset(keys.unusual('strange'), 'new_source', `evt_1 ${now} ${now}`)
    await registry.connectors.add('contoso', 'web', { auth: ['web@contoso.com'] }, 'ann')
    await registry.connectors.block('contoso', 'web', { by: 'ann', reason: 'stolen password' })
    const snooze = { tenant: 'contoso', kind: 'allowance', by: 'ann', reason: 'known' } as const
    await new Snoozes(store).add(snooze, DAY)
    const text = textOf(await console.as('viewer').page('/'))
    assert.match(text, /On probation Tenant Until contoso/)
    assert.match(text, /Unusual Tenant What is unusual Since strange new source/)
    assert.match(text, /Blocked connectors .*contoso\/web \S+ ann stolen password 0/)
    assert.match(text, /tenants with snoozed alerts 1 tenantctl alert snooze --list/)
    assert.match(text, /Besides: no tenant is restricted/)
  })

  it('shows who is near a limit, how much is used, and when the tenant would be restricted', async () => {
    const { store, registry, as } = newConsole()
    await registry.tenants.add('contoso', { limits: '2/1h' }, 'ann')
    for (let at = 0; at < 2; at++) await charge(theRedis(), store.keys, 'contoso')
    await record(store, 'contoso', { at: Date.now(), accepted: 2, connector: 'contoso/web' })
    const text = textOf(await as('viewer').page('/'))
    assert.match(
      text,
      /Near a limit .* contoso 1h 100 % by the next recipient [12] lure\.example 100\.0 % contoso\/web/,
    )
  })

  it('asks Redis a bounded number of times for 2,000 restricted tenants with mail', async () => {
    const console = newConsole()
    await fill(console.store, 2000)
    const viewer = console.as('viewer')
    await theRedis().resetCommandStats()
    const text = textOf(await viewer.page('/'))
    const calls = await callsOf()
    assert.match(text, /Of 2,000 tenants, the trails of 200 were read/)
    assert.match(text, /Of 2,000 tenants, 100 were added up/)
    assert.ok(calls < 5000, `${calls} commands`)
  })

  it('is read once for all who look at the same time', async () => {
    const console = await withTenants('contoso')
    await console.as('viewer').page('/')
    await theRedis().resetCommandStats()
    const polls = Array.from({ length: 50 }, (_, at) =>
      console.as('viewer', `p${at}`).get('/', { 'hx-request': 'true' }),
    )
    for (const { status } of await Promise.all(polls)) assert.equal(status, 200)
    assert.ok((await callsOf()) < 100, 'each browser has asked Redis')
  })

  it('shows at once what a person has changed in the console', async () => {
    const console = await withTenants('contoso')
    const operator = console.as('operator')
    assert.doesNotMatch(textOf(await operator.page('/')), /\d tenants? restricted\./)
    const form = { reason: 'taken over', return_to: '/' }
    const text = textOf(await operator.done('/tenants/contoso/block', form))
    assert.match(text, /1 tenant restricted\./)
  })
})

describe('the stripe', () => {
  it('says that enforcement is paused, until when, by whom and why, on every page', async () => {
    const console = newConsole()
    const order = { by: 'ann', reason: 'too low', duration: DAY, everything: false, words: '' }
    await pauseEnforcement(console.store, order)
    for (const path of ['/', '/glossary']) {
      const text = textOf(await console.as('viewer').page(path))
      assert.match(text, /Enforcement is paused until \S+Z , by ann: too low\./, path)
    }
  })

  it('says which hosts are missing, that versions differ, and that the registry is lost', async () => {
    const console = newConsole()
    const { store } = console
    await beat(store, { id: 'mx1/a' })
    const versions = { plugin: '1.0.0', haraka: '3.3.4', node: '20.20.2' }
    await beat(store, { id: 'mx2/b', versions, registry: { state: 'lost', epoch: '' } })
    await beat(store, { id: 'mx3/c' }, LONG_AGO)
    const text = textOf(await console.as('viewer').page('/glossary'))
    assert.match(text, /1 of 2 processes do not know the registry in Redis\./)
    assert.match(text, /1 host not reporting: mx3\./)
    assert.match(text, /Processes have 2 versions: 1\.1\.0, 1\.0\.0\./)
  })

  it('says why nothing can be changed', async () => {
    const console = newConsole({}, { readOnly: () => Promise.resolve('the registry is lost') })
    const text = textOf(await console.as('admin').page('/glossary'))
    assert.match(text, /Nothing can be changed here: the registry is lost/)
  })
})

/** Tenants with mail and a trail, restrictions, probations and open rules. */
async function fill({ client, keys }: Store, many: number): Promise<void> {
  const ids = Array.from({ length: many }, (_, at) => `t${at}`)
  const now = Date.now()
  const line = `${now}\t\tdomains added\t\tx.example\tann\tdefault\t`
  const pipeline = client.pipeline()
  for (const id of ids) {
    pipeline.sadd(keys.tenants, id).zadd(keys.reported, now - 1000, id)
    pipeline.rpush(keys.audit(id), line).zadd(keys.onProbation, now + DAY, id)
    pipeline.hset(keys.tenant(id), 'createdAt', now, 'name', id)
    pipeline.sadd(keys.unusualIndex, id)
    pipeline.hset(keys.unusual(id), 'new_source', `evt_1 ${now} ${now}`)
  }
  for (const id of ids.slice(0, many - 100)) {
    pipeline.sadd(keys.restricted, id)
    const restriction = { scope: 'unregistered', by: 'ann', reason: 'x', since: now }
    pipeline.hset(keys.restriction(id), restriction)
  }
  await pipeline.exec()
}

async function callsOf(): Promise<number> {
  const stats = await theRedis().commandStats()
  return Object.values(stats).reduce((sum, calls) => sum + calls, 0)
}
