// Enforcement is paused on all hosts: what passes meanwhile, what does not, and when it ends.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRelay, tenantctl, waitFor, type TestRelay, type TestTenant } from '../support'
import { answered, REPLY } from '../support/replies'

const NODES = 2
const UNREGISTERED = 'x@stolen.example'
const RECIPIENT = 'a@far.example'

describe('a pause of enforcement, with two workers', () => {
  let relay: TestRelay
  let tripped: TestTenant
  let placed: TestTenant
  let blocked: TestTenant

  before(async () => {
    relay = await startRelay({ nodes: NODES })
    tripped = await relay.tenant('tripped', { limits: '1/1h' })
    const to = [RECIPIENT, 'b@far.example']
    assert.equal((await tripped.send({ from: UNREGISTERED, to })).rcpts[1]?.raw, REPLY.blocked)
    placed = await relay.tenant('placed')
    await relay.restrictions.place('placed', { scope: 'unregistered', by: 'ann', reason: 'abuse' })
    blocked = await relay.tenant('blocked')
    await relay.registry.connectors.block('blocked', 'mx', { by: 'ann', reason: 'taken over' })
    await everywhere(tripped, REPLY.blocked)
    await everywhere(placed, REPLY.blocked)
    await everywhere(blocked, REPLY.connectorBlocked)
  })
  after(() => relay.stop())

  const everywhere = ({ session }: TestTenant, reply: string): Promise<void> =>
    answered(relay.haraka, NODES, { session, from: UNREGISTERED, reply })

  const lines = (token: string): number =>
    relay.haraka.log.split(`[unregistered-domain] ${token} `).length - 1

  async function enforcement(...words: string[]): Promise<string> {
    const all = ['--config', relay.haraka.configDir, 'enforcement', ...words, '--reason', 'test']
    const { status, stdout, stderr } = await tenantctl(all)
    assert.equal(status, 0, stderr)
    return stdout
  }

  it('lets pass at once in each worker what tripped, but not what a person has restricted or blocked', async () => {
    const used = await tripped.used()
    const said = await enforcement('pause', '--wait')
    assert.match(said, /^paused enforcement until \S+Z: nothing is refused but what a person has /)
    assert.match(said, /\nin force on 2 of 2 processes on 1 host, in \d+ ms\n$/)
    // Each worker has confirmed it: no session may be refused from now on.
    for (let session = 0; session < 3 * NODES; session++) {
      const sent = await tripped.send({ from: UNREGISTERED, to: RECIPIENT })
      assert.ok(sent.delivered, String(sent.last))
    }
    assert.equal(await tripped.used(), used + 3 * NODES)
    assert.equal((await tripped.restriction())?.by, 'automatic')
    for (let session = 0; session < 2 * NODES; session++) {
      const mail = { from: UNREGISTERED, to: RECIPIENT }
      assert.equal((await placed.send(mail)).last.raw, REPLY.blocked)
      assert.equal((await blocked.send(mail)).last.raw, REPLY.connectorBlocked)
    }
    assert.equal(lines('enforcement-paused'), NODES)
  })

  it('refuses what a person blocks while it lasts', async () => {
    const late = await relay.tenant('late')
    await relay.restrictions.place('late', { scope: 'unregistered', by: 'ann', reason: 'abuse' })
    const { last } = await late.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.equal(last.raw, REPLY.blocked)
    await everywhere(late, REPLY.blocked)
  })

  it('lets all of it pass with --everything, and refuses again in each worker once it is resumed', async () => {
    await enforcement('pause', '--everything', '--wait')
    for (const tenant of [tripped, placed, blocked]) {
      for (let session = 0; session < 2 * NODES; session++) {
        const sent = await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
        assert.ok(sent.delivered, String(sent.last))
      }
    }
    assert.match(
      await enforcement('resume', '--wait'),
      /\nresumed enforcement\nin force on 2 of 2 processes on 1 host, in \d+ ms\n$/,
    )
    for (let session = 0; session < 2 * NODES; session++) {
      const mail = { from: UNREGISTERED, to: RECIPIENT }
      assert.equal((await tripped.send(mail)).last.raw, REPLY.blocked)
      assert.equal((await placed.send(mail)).last.raw, REPLY.blocked)
      assert.equal((await blocked.send(mail)).last.raw, REPLY.connectorBlocked)
    }
    assert.equal(lines('enforcement-resumed'), NODES)
  })

  it('ends by itself', async () => {
    const [paused, resumed] = [lines('enforcement-paused'), lines('enforcement-resumed')]
    await enforcement('pause', '--for', '3s', '--wait')
    await everywhere(tripped, REPLY.blocked)
    await waitFor(() => lines('enforcement-resumed') === resumed + NODES)
    assert.equal(lines('enforcement-paused'), paused + NODES)
  })
})
