import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { followClock, stepText } from '../../src/allowance/clock-steps'
import type { Duty } from '../../src/base/duty'
import { Allowance } from '../support/allowance'
import { useRedis } from '../support/registry'

const SECOND = 1000
const DAY = 86_400 * SECOND

useRedis()

describe('the duty that follows the clock of Redis', () => {
  let allowance: Allowance
  let duty: Duty
  let steps: number[]

  beforeEach(async () => {
    allowance = await Allowance.create({ limits: '2/1m' })
    steps = []
    duty = followClock(allowance.store, (ms) => steps.push(Math.round(ms / DAY)))
    await duty.run()
  })

  it('lets the windows of a tenant that sends nothing go on where the clock was set back', async () => {
    await allowance.advance(DAY)
    await allowance.answers(2)
    await duty.run()
    await allowance.advance(-DAY)
    await duty.run()
    await duty.run()
    assert.deepEqual(steps, [1, -1])
    await allowance.advance(62 * SECOND - 1)
    assert.deepEqual(await allowance.used(), [2])
    await allowance.advance(1)
    assert.deepEqual(await allowance.used(), [0])
    assert.deepEqual(await allowance.answers(2), ['CHARGED', 'CHARGED'])
  })

  it('changes nothing of windows that wait for the clock, or are behind it', async () => {
    await allowance.registry.tenants.add('fabrikam', { limits: '2/1h' }, 'test')
    await allowance.charge({ tenant: 'fabrikam' })
    await allowance.advance(30 * SECOND)
    await allowance.charge()
    await duty.run()
    await allowance.advance(-30 * SECOND)
    const before = await allowance.everything()
    await duty.run()
    assert.deepEqual(await allowance.everything(), before)
    assert.equal(steps.length, 2)
  })

  it('does what failed with the next run', async () => {
    await allowance.advance(DAY)
    await allowance.answers(2)
    await duty.run()
    await allowance.advance(-DAY)
    const { client, keys } = allowance.store
    const usage = keys.usage('contoso')
    await client.rename(usage, 'put away')
    await client.set(usage, 'no hash')
    await assert.rejects(duty.run(), /WRONGTYPE/)
    await client.rename('put away', usage)
    await duty.run()
    await allowance.advance(62 * SECOND)
    assert.deepEqual(await allowance.used(), [0])
  })

  it('says by how much, and what that does', () => {
    assert.match(
      stepText(DAY + 400),
      /set ahead by 86400 s, or this host was suspended: recipients leave/,
    )
    assert.match(stepText(-DAY), /set back by 86400 s: the windows of all tenants go on/)
  })
})
