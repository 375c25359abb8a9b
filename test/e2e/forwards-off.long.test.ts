// Hosts on one Redis that differ in [forwarded] enabled, and one that is turned off while recipients are held.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import {
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type SmtpClient,
  type TestHaraka,
  type TestTenant,
} from '../support'
import { TestDns } from '../support/dns'
import { REPLY } from '../support/replies'
import { keyZones, signer, signMessage } from '../support/signed'
import { letter } from './table/row'

const NEWS = 'news@bank.example'
const FAR = 'a@far.example'
const bank = { domain: 'bank.example' }
const QUEUED = /^250 Message Queued /
const IDLE =
  /\[CRIT\].*enabled=false, but 1 tenant has an allowance for forwards: it has no effect.*\(idle\)/

const enabled = (yes: boolean) => ({ forwarded: { enabled: yes } })

let dns: TestDns
let relay: TestRelay
/** It holds what may be a forward. */
let on: TestHaraka
/** Its [forwarded] enabled is false, and it was so at its start. */
let off: TestHaraka
let subjects = 0

before(async () => {
  dns = await TestDns.start(keyZones([signer(bank)]))
  const redis = await startRedis()
  const start = (yes: boolean): Promise<TestHaraka> =>
    startHaraka({
      redis,
      settings: { ...enabled(yes), redis: { command_timeout: 5000 } },
      plugins: ['ask_test_dns', 'relay', 'unregistered-domain', 'test_sink'],
      localPlugins: { ask_test_dns: `require('node:dns').setServers(['${dns.address}'])` },
    })
  ;[on, off] = await Promise.all([start(true), start(false)])
  relay = new TestRelay(redis, [on, off])
})
after(async () => {
  await relay?.stop()
  await dns?.stop()
})

const tenantOf = (id: string, limits = '100/1h'): Promise<TestTenant> =>
  relay.tenant(id, { limits, forwardedLimits: '50/1h' })

/** A letter that its own signature proves to be a forward. */
function proven(tenant: TestTenant): string {
  return signMessage(letter(tenant.domain, { Subject: `S${++subjects}` }), bank)
}

/** A session whose recipient is accepted, and the transaction open. */
async function open(tenant: TestTenant, host: TestHaraka): Promise<SmtpClient> {
  const client = await tenant.connect({ on: host })
  assert.equal((await client.mail(NEWS)).code, 250)
  assert.equal((await client.rcpt(FAR)).code, 250)
  return client
}

async function end(client: SmtpClient, tenant: TestTenant): Promise<void> {
  assert.equal((await client.data()).code, 354)
  assert.match((await client.message(proven(tenant))).raw, QUEUED)
  await client.quit()
}

/** Waits until the meters show exactly that: refunds come a moment later. */
async function settled(tenant: TestTenant, wanted: Record<string, number>): Promise<void> {
  const all = { unregistered: 0, forwarded: 0, held: 0, ...wanted }
  let found = {}
  const reached = async (): Promise<boolean> => {
    found = {
      unregistered: await tenant.used(),
      forwarded: await tenant.used('forwarded'),
      held: await tenant.held(),
    }
    return isDeepStrictEqual(found, all)
  }
  await waitFor(reached).catch(() => assert.deepEqual(found, all))
}

/** Writes the setting of a running host, and waits until it is in effect, or until Haraka says that it is not. */
async function reload(host: TestHaraka, yes: boolean, line: RegExp): Promise<void> {
  const from = host.log.length
  host.writeSettings({ ...enabled(yes), redis: { command_timeout: 5000 } })
  await host.waitForLog(line, { from })
}

describe('hosts that differ in [forwarded] enabled', () => {
  it('count a forward each by its own setting, and settle what they have held', async () => {
    const tenant = await tenantOf('differing')
    const held = await open(tenant, on)
    await settled(tenant, { held: 1 })
    await end(await open(tenant, off), tenant)
    await settled(tenant, { unregistered: 1, held: 1 })
    await end(held, tenant)
    await settled(tenant, { unregistered: 1, forwarded: 1 })
  })

  it('restrict the tenant at RCPT where it is off, since its forwards are unregistered mail', async () => {
    const tenant = await tenantOf('past', '1/1h')
    await end(await open(tenant, off), tenant)
    const client = await tenant.connect({ on: off })
    await client.mail(NEWS)
    assert.equal((await client.rcpt(FAR)).raw, REPLY.blocked)
    await settled(tenant, { unregistered: 1 })
    assert.equal((await tenant.restriction())?.scope, 'unregistered')
  })
})

describe('a host that is turned off', () => {
  it('settles what it has held, counts at RCPT from then on, and is turned on again by a reload', async () => {
    const tenant = await tenantOf('reloaded')
    const held = await open(tenant, on)
    await settled(tenant, { held: 1 })
    await reload(on, false, /unregistered-domain\.ini: in effect/)
    const next = await open(tenant, on)
    await settled(tenant, { unregistered: 1, held: 1 })
    await end(held, tenant)
    await settled(tenant, { unregistered: 1, forwarded: 1 })
    await end(next, tenant)
    await settled(tenant, { unregistered: 1, forwarded: 1 })
    await reload(on, true, /unregistered-domain\.ini: in effect/)
    await end(await open(tenant, on), tenant)
    await settled(tenant, { unregistered: 1, forwarded: 2 })
  })

  it('refunds what it has held where no message comes', async () => {
    const tenant = await tenantOf('reset')
    const client = await open(tenant, on)
    await settled(tenant, { held: 1 })
    await client.quit()
    await settled(tenant, {})
  })

  it('is turned on only by a restart where it was off at its start', async () => {
    const tenant = await tenantOf('restarted')
    await reload(off, true, /\[WARN\].*\[forwarded\] enabled has changed: restart Haraka to use it/)
    await end(await open(tenant, off), tenant)
    await settled(tenant, { unregistered: 1 })
    await reload(off, false, /unregistered-domain\.ini: in effect/)
  })

  it('leaves held what it held when it was killed, and names the tenants at its start', async () => {
    for (const { id } of await relay.registry.tenants.list()) {
      await relay.registry.tenants.set(id, { forwardedLimits: null })
    }
    const tenant = await tenantOf('idle', '1/1h')
    const client = await open(tenant, on)
    await settled(tenant, { held: 1 })
    on.writeSettings({ ...enabled(false), redis: { command_timeout: 5000 } })
    await on.restart()
    await client.quit().catch(() => {})
    await on.waitForLog(IDLE)
    // It counts as unregistered mail now, within its allowance whatever is held.
    await end(await open(tenant, on), tenant)
    await settled(tenant, { unregistered: 1, held: 1 })
    const another = await tenant.connect({ on })
    await another.mail(NEWS)
    assert.equal((await another.rcpt(FAR)).raw, REPLY.blocked)
    await settled(tenant, { unregistered: 1, held: 1 })
  })
})
