// The lines that alarms match: one line for each event over all processes, and one for each crossing.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRelay, waitFor, type TestRelay, type TestTenant } from '../support'
import { REPLY } from '../support/replies'

const HOSTS = 2
const NODES = 2
const PROCESSES = HOSTS * NODES

describe('the log of two hosts with two workers each', () => {
  let relay: TestRelay
  before(async () => {
    relay = await startRelay({
      hosts: HOSTS,
      nodes: NODES,
      settings: { allowance: { warn_at: '50, 80' } },
      // Its constrain_sender is on by default.
      plugins: ['relay', 'auth/flat_file', 'unregistered-domain', 'test_sink'],
      config: { 'auth_flat_file.ini': '[core]\nmethods=PLAIN\n' },
    })
  })
  after(() => relay.stop())

  /** All lines of ours with this token that name the tenant, of all processes. */
  function lines(token: string, tenant: TestTenant): string[] {
    return relay.hosts
      .flatMap(({ log }) => log.split('\n'))
      .filter((line) => line.includes(`[unregistered-domain] ${token} `))
      .filter((line) => line.includes(`tenant=${tenant.id}`))
  }

  it('has one line for a trip, from the process where it happened', async () => {
    const tenant = await relay.tenant('tripping', { limits: '2/1h' })
    const to = ['a@far.example', 'b@far.example', 'c@far.example']
    const sent = await tenant.send({ from: 'x@stolen.example', to })
    assert.equal(sent.last.raw, REPLY.blocked)
    // When all have logged its end, all have logged what came before.
    await relay.lift('tripping')
    await waitFor(() => lines('unblocked', tenant).length === PROCESSES)
    const [line, ...others] = lines('tripped', tenant)
    assert.deepEqual(others, [])
    assert.match(
      line ?? '',
      new RegExp(
        ` \\[WARN\\] .*\\] tripped tenant=tripping connector=tripping/mx domain=stolen.example ` +
          `ip=${tenant.session.localAddress} used=2 limit=2 window=1h case=tripping:1 transaction=[0-9A-F-]+[.]1$`,
      ),
    )
    assert.deepEqual(lines('blocked', tenant), [])
  })

  it('has an action of a person once from each process that has the tenant', async () => {
    const tenant = await relay.tenant('by-hand')
    const by = { by: 'ann', reason: 'taken over' }
    await relay.restrictions.place('by-hand', { scope: 'unregistered', ...by })
    await waitFor(() => lines('blocked', tenant).length === PROCESSES)
    await relay.restrictions.lift('by-hand', { ...by, keepUsage: false })
    await waitFor(() => lines('unblocked', tenant).length === PROCESSES)
    const [blocked, unblocked] = [lines('blocked', tenant), lines('unblocked', tenant)]
    assert.equal(blocked.length, PROCESSES)
    for (const line of blocked) {
      assert.match(line, / \[WARN\] .*\] blocked tenant=by-hand scope=unregistered by=ann$/)
    }
    for (const line of unblocked) assert.match(line, / \[WARN\] .*\] unblocked tenant=by-hand$/)
  })

  it('warns of each crossing of warn_at once over all processes', async () => {
    const tenant = await relay.tenant('growing', { limits: '5/1h, 100/1d' })
    for (let recipient = 1; recipient <= 5; recipient++) {
      const on = relay.hosts[recipient % 2] ?? relay.haraka
      const mail = { from: 'x@stolen.example', to: 'a@far.example' }
      assert.ok((await tenant.send(mail, { on })).delivered)
    }
    // A line of each process after all its others.
    await relay.restrictions.place('growing', { scope: 'unregistered', by: 'ann', reason: 'end' })
    await waitFor(() => lines('blocked', tenant).length === PROCESSES)
    const told = lines('allowance', tenant).map((line) => line.replace(/^.*\] allowance /, ''))
    const facts =
      'tenant=growing connector=growing/mx domain=stolen.example class=unregistered percent='
    assert.deepEqual(told.sort(), [
      `${facts}50 used=3 limit=5 window=1h`,
      `${facts}80 used=4 limit=5 window=1h`,
    ])
  })

  it('warns at the start about Haraka settings that affect the plugin', () => {
    assert.match(
      relay.haraka.log,
      /\[WARN\] .*\[unregistered-domain\] constrain_sender: auth\/flat_file refuses senders .*; set constrain_sender=false in \[core\] of auth_flat_file\.ini/,
    )
  })
})
