import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { startHaraka, startRedis, startRelay, TestRelay, waitFor } from '../support'
import { REPLY } from '../support/replies'

it('A Haraka that is killed and started again keeps restrictions, and open transactions stay charged', async (t) => {
  const relay = await startRelay()
  t.after(() => relay.stop())
  const { haraka } = relay
  const tripped = await relay.tenant('tripped', { limits: '1/1h' })
  const to = ['a@far.example', 'b@far.example']
  const sent = await tripped.send({ from: 'x@stolen.example', to })
  assert.equal(sent.rcpts[1]?.raw, REPLY.blocked)
  const open = await relay.tenant('open', { limits: '2/1h' })
  const client = await open.connect()
  await client.mail('x@stolen.example')
  assert.equal((await client.rcpt('a@far.example')).code, 250)

  haraka.signal('SIGKILL')
  await haraka.restart()
  await client.leave('RST')
  // The new process has neither tenant in its cache, and reads them.
  assert.equal((await tripped.send({ from: 'x@stolen.example', to })).mail.raw, REPLY.blocked)
  const own = { from: `x@${tripped.domain}`, to: 'a@far.example' }
  assert.equal((await tripped.send(own)).delivered, true)
  assert.equal(await open.used(), 1)
  assert.equal((await open.send({ from: 'x@stolen.example', to })).rcpts[1]?.raw, REPLY.blocked)
})

describe('Workers that are replaced while Redis is away', () => {
  it('send the refunds of their last sessions as soon as it is back, and end', async (t) => {
    const redis = await startRedis({ args: ['--appendonly', 'yes'] })
    t.after(() => redis.stop())
    const haraka = await startHaraka({ redis, nodes: 2 })
    t.after(() => haraka.stop())
    const relay = new TestRelay(redis, [haraka])
    const tenant = await relay.tenant('contoso')
    const clients = await Promise.all(Array.from({ length: 4 }, () => tenant.connect()))
    for (const client of clients) {
      await client.mail('x@stolen.example')
      assert.equal((await client.rcpt('a@far.example')).code, 250)
    }
    const old = childrenOf(haraka.pid)
    assert.equal(old.length, 2)

    await redis.kill()
    await haraka.restartGracefully()
    await Promise.all(clients.map((client) => client.leave()))
    assert.deepEqual(running(old), old)
    await redis.restart()

    await waitFor(async () => (await tenant.used()) === 0, { what: 'all is given back' })
    await waitFor(() => running(old).length === 0, { what: 'the old workers have ended' })
    assert.doesNotMatch(haraka.log, /failed to shutdown/)
  })

  it('end with their last session where there is nothing to refund', async (t) => {
    const redis = await startRedis()
    t.after(() => redis.stop())
    const haraka = await startHaraka({ redis, nodes: 2 })
    t.after(() => haraka.stop())
    const old = childrenOf(haraka.pid)
    assert.equal(old.length, 2)
    await redis.kill()
    await haraka.restartGracefully()
    await waitFor(() => running(old).length === 0, { what: 'the old workers have ended' })
    assert.doesNotMatch(haraka.log, /failed to shutdown/)
  })
})

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}

function running(pids: readonly number[]): number[] {
  return pids.filter((pid) => existsSync(`/proc/${pid}`))
}
