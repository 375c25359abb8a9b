import assert from 'node:assert/strict'
import { it } from 'node:test'
import { readLost } from '../../src/registry/lost-changes'
import { serverTime } from '../../src/store/server-clock'
import { startHaraka, startRedis, TestRelay, waitFor } from '../support'
import { MailStream } from '../support/failover'
import { answered, REPLY } from '../support/replies'

const ROUNDS = 20
const NODES = 2
/** What `everysec` is the name for, in ms. */
const FSYNC = 1000
const BY = { by: 'ann', reason: 'abuse' }

it(`${ROUNDS} kills of a Redis with appendfsync everysec lose no change that is older than a second`, async (t) => {
  const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] })
  t.after(() => redis.stop())
  const haraka = await startHaraka({ redis, nodes: NODES })
  t.after(() => haraka.stop())
  const relay = new TestRelay(redis, [haraka])
  const { registry, restrictions, store } = relay
  const contoso = await relay.tenant('contoso', { limits: '1000000/1h' })
  const fabrikam = await relay.tenant('fabrikam')
  const stream = new MailStream(contoso)
  const serves = (what: string, since: number) =>
    stream.until(`unregistered mail is counted ${what}`, () => stream.count(250, since) > 0)
  await serves('at first', 0)

  for (let round = 1; round <= ROUNDS; round++) {
    const isOdd = round % 2 === 1
    const domain = `round${round}.example`
    await registry.domains.add('fabrikam', [{ domain, subdomains: false, shared: false }], 'ann')
    if (isOdd) await restrictions.place('fabrikam', { ...BY, scope: 'unregistered' })
    else await relay.lift('fabrikam')
    await registry.connectors.setEnabled('fabrikam', 'mx', !isOdd)
    await registry.tenants.set('fabrikam', { limits: `${round}/1h` })
    await registry.tenants.add(`round${round}`, {}, 'ann')
    const changed = await serverTime(store.client)
    await waitFor(async () => (await serverTime(store.client)) > changed + FSYNC)

    await redis.kill()
    await redis.restart()
    await serves(`after restart ${round}`, performance.now())
  }
  await stream.stop()

  // Every process has read everything again before it hears of this.
  await restrictions.place('fabrikam', { ...BY, scope: 'all' })
  const { session, domain } = fabrikam
  await answered(haraka, NODES, { session, from: `a@${domain}`, reply: REPLY.blockedAll })
  assert.equal((await registry.tenants.get('fabrikam'))?.limits, `${ROUNDS}/1h`)
  assert.equal(await readLost(store), undefined)
  assert.doesNotMatch(haraka.log, /\[CRIT\]/)
})
