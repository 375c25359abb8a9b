import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newConsole, textOf, type ConsoleAtHand } from '../support/console'
import { beat, LONG_AGO } from '../support/nodes'
import { useRedis } from '../support/registry'

useRedis()

const COUNTERS = {
  ...{ accepted: 1200, refused: 34, deferred: 5, undecided: {} },
  ...{ refundsWaiting: 0, dropped: 0, reportsWaiting: 0, held: 0 },
}

async function withHosts(): Promise<ConsoleAtHand> {
  const console = newConsole()
  const { store } = console
  const { client, keys } = store
  await client.hset(keys.nodesConfigs, 'd1', JSON.stringify({ allowance: { limits: '300/1h' } }))
  await client.hset(keys.nodesConfigs, 'd2', JSON.stringify({ allowance: { limits: '900/1h' } }))
  const charge = { p50: 0.4, p99: 4.25 }
  await beat(store, { id: 'mx1/a', counters: COUNTERS, charge })
  await beat(store, { id: 'mx1/b', worker: 2 })
  await beat(store, { id: 'mx2/c', config: { digest: 'd2', ofHost: 'h1', changed: 0 } })
  await beat(store, { id: 'mx3/d' }, LONG_AGO)
  return console
}

describe('hosts and processes', () => {
  it('says that no process has reported', async () => {
    const text = textOf(await newConsole().as('viewer').page('/nodes'))
    assert.match(text, /No Haraka process has reported\. Each/)
  })

  it('shows counters, what differs with both values, and what is missing since when', async () => {
    const text = textOf(await (await withHosts()).as('viewer').page('/nodes'))
    assert.match(text, /4 processes on 3 hosts: 1 missing, 2 configurations/)
    assert.match(text, /mx1 worker 1 4711 live 1\.1\.0 .* 1200 34 5 4\.3 ms - mx1 worker 2/)
    assert.match(text, /\[allowance\] limits: 900\/1h, others 300\/1h/)
    assert.match(text, /mx3 worker 1 4711 missing .* missing since \S+Z/)
  })

  it('lets an admin forget a host that is missing, and no other person', async () => {
    const console = await withHosts()
    for (const role of ['viewer', 'operator'] as const) {
      assert.doesNotMatch(await console.as(role).page('/nodes'), /Forget mx3/)
      assert.equal((await console.as(role).post('/nodes/mx3/forget')).status, 403)
    }
    const admin = console.as('admin')
    assert.match(textOf(await admin.page('/nodes')), /Forget mx3 .*tenantctl nodes forget mx3/)
    const after = textOf(await admin.done('/nodes/mx3/forget', { return_to: '/nodes' }))
    assert.match(after, /forgot mx3: 1 process/)
    assert.doesNotMatch(after, /mx3 worker/)
    const alive = await admin.post('/nodes/mx1/forget')
    assert.equal(alive.status, 409)
    assert.match(await alive.text(), /mx1 is alive/)
  })
})

describe('the doctor in the console', () => {
  it('finds what the command finds in Redis, the worst first, with advice', async () => {
    const console = await withHosts()
    await console.registry.tenants.add('contoso', {}, 'ann')
    await console.registry.connectors.add('contoso', 'wide', { ip: ['10.0.0.0/8'] }, 'ann')
    const text = textOf(await console.as('viewer').page('/doctor'))
    assert.match(text, /fail nodes mx3 is missing since .*tenantctl nodes forget mx3/)
    assert.match(text, /warn connectors contoso\/wide accepts 10\.0\.0\.0\/8|connectors 2 /)
    assert.match(text, /ok pause enforcement is not paused/)
    assert.match(text, /Not checked here: Haraka's own configuration/)
    assert.doesNotMatch(text, /all tenants and connectors would be read/)
  })

  it('reads no tenant and no connector where there are many', async () => {
    const console = newConsole()
    const { client, keys } = console.store
    await client.sadd(keys.tenants, ...Array.from({ length: 2001 }, (_, at) => `t${at}`))
    const text = textOf(await console.as('viewer').page('/doctor'))
    assert.match(text, /Not checked here, since all tenants and connectors would be read/)
    assert.doesNotMatch(text, /no contact of|no range of/)
  })
})
