// Two installations on one Redis, told apart by nothing but the prefix of their keys.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../../scripts/services/redis'
import { scratchDir } from '../../scripts/services/scratch'
import { waitFor } from '../../scripts/services/wait-for'
import { Engine } from '../../src/relay/engine'
import { DEFAULTS } from '../support/allowance'
import { tenantctl } from '../cli/cli'
import { settingsFor } from '../support/connection'

/** Neighbours that a pattern or the start of a name could take for each other, in both orders. */
const PAIRS: readonly (readonly [string, string])[] = [
  ['ud:', 'ud:x:'],
  ['u', 'ud:'],
  ['', 'ud:'],
  ['a*:', 'ab:'],
  ['a?:', 'ab:'],
  ['[ab]:', 'a:'],
  ['a\\:', 'a:'],
  ['^a', 'a'],
  ['UD:', 'ud:'],
]

describe('two installations on one Redis', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function run(prefix: string, line: string, status = 0): Promise<void> {
    const args = ['--redis', redis.url, '--prefix', prefix, ...line.split(' ')]
    const result = await tenantctl(args)
    assert.equal(result.status, status, `${line}: ${result.err}`)
  }

  const domains = { one: 'one.example', two: 'two.example' }

  async function fill(prefix: string, id: keyof typeof domains): Promise<void> {
    await run(prefix, `tenant add ${id} --limits 2/1h`)
    await run(prefix, `tenant add other --limits 2/1h`)
    await run(prefix, `domain add ${id} ${domains[id]} both.example`)
    await run(prefix, `domain add other other.example`)
    await run(prefix, `connector add ${id} mx --ip 192.0.2.1`)
    await run(prefix, 'block other --reason x')
  }

  /** All that an operator and a process do, and what an interrupted one leaves for doctor to mend. */
  async function doAll(prefix: string, id: string): Promise<void> {
    const client = redis.client()
    const file = path.join(scratchDir('prefixes'), 't.yaml')
    writeFileSync(file, 'id: site\ntenants: { filed: { domains: [filed.example] } }\n')
    await run(prefix, `apply ${file}`)
    writeFileSync(file, 'id: site\ntenants: {}\n')
    await run(prefix, `apply ${file} --prune`)

    const engine = new Engine(settingsFor(redis, { prefix }), {
      ...{ onReady: nothing, onRestriction: nothing, onError: nothing },
      ...{ onRedisError: nothing, onDrop: nothing },
    })
    engine.follow()
    await waitFor(() => engine.directory.connectors)
    const domainsToken = (await engine.directory.load(id))?.domainsToken ?? ''
    for (const transaction of ['T.1', 'T.2', 'T.3']) {
      const charge = { tenant: id, meter: 'unregistered', transaction, ordinal: 1 } as const
      const from = { domainsToken, domain: 'lure.example', connector: '', ip: '' }
      await engine.ledger.charge({ ...charge, ...from }, DEFAULTS)
    }
    engine.refund(id, 'T.1', [1])
    engine.indexRestriction(id)
    await waitFor(async () => (await engine.restrictions.list()).length === 2)
    engine.directory.stop()
    engine.store.client.disconnect()

    await run(prefix, `unblock ${id} --reason cleaned`)
    await run(prefix, `domain move both.example other`)
    await run(prefix, `connector disable ${id} mx`)
    await run(prefix, `connector remove ${id} mx`)
    await run(prefix, `domain remove ${id} ${id}.example`)
    // What a crash leaves: the indexes are gone.
    await client.del(`${prefix}{@tenants}`, `${prefix}{@restricted}`, `${prefix}{@owners}:index`)
    await run(prefix, `doctor --repair --config ${scratchDir('config')}`, 1)
    assert.deepEqual((await client.smembers(`${prefix}{@tenants}`)).sort(), [id, 'other'].sort())
    assert.deepEqual(await client.smembers(`${prefix}{@restricted}`), ['other'])
    await run(prefix, `tenant remove ${id}`)
    for (const line of ['tenant list', 'status', 'restricted', 'connector list']) {
      await run(prefix, line)
    }
  }

  for (const pair of PAIRS) {
    for (const [mine, theirs] of [pair, [pair[1], pair[0]] as const]) {
      it(`${JSON.stringify(mine)} leaves ${JSON.stringify(theirs)} alone`, async () => {
        const client = redis.client()
        await client.flushall()
        await fill(theirs, 'two')
        const names = await client.keys('*')
        await fill(mine, 'one')
        const dumps = () => Promise.all(names.map((name) => client.dumpBuffer(name)))
        const before = await dumps()
        const heard: string[] = []
        const ear = redis.client()
        ear.on('message', (_channel, message) => heard.push(message))
        await ear.subscribe(`${theirs}changes`)
        await doAll(mine, 'one')
        await ear.ping()
        assert.deepEqual(heard, [])
        assert.deepEqual(await dumps(), before)
        // And nothing new is theirs.
        const keys = (await client.keys('*')).filter((name) => !names.includes(name))
        assert.ok(
          keys.every((name) => name.startsWith(`${mine}{`)),
          keys.join(' '),
        )
      })
    }
  }
})

const nothing = (): void => {}
