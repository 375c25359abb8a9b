import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startHaraka, startRedis, TestRelay, waitFor } from '../support'
import { MovableClock, noMovableClock } from '../support/movable-clock'

const DAY = 86_400

/** What the server loads: scripts are compiled too. */
const COMPILED = path.join(__dirname, '../../dist/src')

describe('after the clock of Redis jumps a day ahead and back', { skip: noMovableClock }, () => {
  let clock: MovableClock
  let relay: TestRelay
  before(async () => {
    clock = new MovableClock()
    const redis = await startRedis({ env: clock.env })
    const haraka = await startHaraka({ redis, settings: { redis: { command_timeout: 5000 } } })
    relay = new TestRelay(redis, [haraka])
  })
  after(() => relay?.stop())

  it('each window is empty one window later, with or without mail meanwhile', async () => {
    const busy = await relay.tenant('busy', { limits: '3/1m defer' })
    const quiet = await relay.tenant('quiet', { limits: '3/1m' })
    const send = async (tenant: typeof busy): Promise<number[]> => {
      const to = ['a@far.example', 'b@far.example', 'c@far.example']
      return (await tenant.send({ from: 'x@lure.example', to })).rcpts.map(({ code }) => code)
    }
    const accepted = [250, 250, 250]
    const { haraka } = relay
    // The leader has checked before, by a script that nothing else runs.
    const scripts = path.join(COMPILED, 'store', 'script.js')
    const { assemble, readScript } = (await import(
      scripts
    )) as typeof import('../../src/store/script')
    const script = assemble(readScript(path.join(COMPILED, 'allowance'), 'server_time'))
    const sha = createHash('sha1').update(script).digest('hex')
    await waitFor(async () => ((await relay.store.client.script('EXISTS', sha)) as number[])[0])
    for (const tenant of [busy, quiet]) assert.deepEqual(await send(tenant), accepted)

    clock.set(DAY)
    await haraka.waitForLog(/the clock of Redis was set ahead by 86[34]\d\d s/)
    for (const tenant of [busy, quiet]) assert.deepEqual(await send(tenant), accepted)

    clock.set(0)
    await haraka.waitForLog(/the clock of Redis was set back by 86[34]\d\d s/)
    for (const tenant of [busy, quiet]) assert.equal(await tenant.used(), 3)
    assert.deepEqual(await send(busy), [451, 451, 451])
    for (const tenant of [busy, quiet]) {
      await waitFor(async () => (await tenant.used()) === 0, { timeout: 180_000 })
      assert.deepEqual(await send(tenant), accepted)
      assert.equal(await tenant.restriction(), undefined)
    }
  })
})
