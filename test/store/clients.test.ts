import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { waitFor } from '../../scripts/services/wait-for'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'

const run = promisify(execFile)
const ECHO = { name: 'test_echo', source: 'return ARGV[1]' }
const TIMED_OUT = /^Error: Command timed out$/
/** No test waits for it. */
const LONG = 600_000

let redis: TestRedis
const clients: Redis[] = []

before(async () => {
  redis = await startRedis()
})
after(() => redis.stop())
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect()
  redis.resume()
  await redis.client().flushall()
})

async function ready(commandTimeout: number): Promise<Redis> {
  const client = connect(settingsFor(redis, { commandTimeout }), () => {}) as Redis
  clients.push(client)
  await waitFor(() => client.status === 'ready')
  return client
}

describe('a command that Redis does not answer', () => {
  it('is rejected in time, whatever it is, and its late answer goes to no other', async () => {
    const client = await ready(200)
    const store = new Store(client, new Keys('ud:'))
    await waitFor(() => store.run(ECHO, [], ['warm']))
    redis.pause()
    const order: number[] = []
    const calls = [
      client.get('x'),
      client.hmget('x', 'a', 'b'),
      client.hgetall('x'),
      client.getBuffer('x'),
      client.call('ECHO', 'late'),
      store.run(ECHO, [], ['late']),
      store.runForOctets(ECHO, [], [Buffer.from('late')]),
    ].map((call, at) => call.finally(() => order.push(at)))
    const piped = client.pipeline().get('x').call('ECHO', 'late').exec()
    for (const call of calls) await assert.rejects(call, TIMED_OUT)
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6])
    for (const [error] of (await piped)!) assert.match(String(error), TIMED_OUT)
    redis.resume()
    await waitFor(() => client.ping())
    const answers = ['1', '2', '3'].map((each) => store.run(ECHO, [], [each]))
    assert.deepEqual(await Promise.all(answers), ['1', '2', '3'])
  })

  it('is rejected where it subscribes', async () => {
    const client = await ready(200)
    redis.pause()
    await assert.rejects(client.subscribe('channel'), TIMED_OUT)
  })

  it('lets the connection be closed where nothing arrives any more', async () => {
    const client = await ready(50)
    let closed = false
    client.once('close', () => (closed = true))
    redis.pause()
    await assert.rejects(client.get('x'), TIMED_OUT)
    await waitFor(() => closed)
  })
})

describe('what is sent in one turn of the event loop', () => {
  it('leaves in one write', async () => {
    const client = await ready(LONG)
    const { stream } = client
    const sent = stream.bytesWritten
    const answers = Promise.all(['1', '2', '3'].map((each) => client.call('ECHO', each)))
    assert.equal(stream.bytesWritten, sent, 'nothing has left yet')
    assert.deepEqual(await answers, ['1', '2', '3'])
  })

  it('is answered in its order, with octets and pipelines in between', async () => {
    const client = await ready(LONG)
    const octets = Buffer.from([0, 255, 13, 10])
    const answers = [
      client.call('ECHO', 'first'),
      client.pipeline().call('ECHO', 'piped').exec(),
      client.call('ECHO', 'é ✓'),
      client.callBuffer('ECHO', octets),
      client.multi().set('x', 'y').exec(),
      client.call('ECHO', 'last'),
    ]
    assert.deepEqual(await Promise.all(answers), [
      'first',
      [[null, 'piped']],
      'é ✓',
      octets,
      [[null, 'OK']],
      'last',
    ])
  })

  it('leaves before a connection that is closed in the same turn', async () => {
    const client = await ready(LONG)
    client.set('x', 'sent').catch(() => {})
    client.disconnect()
    await waitFor(async () => (await redis.client().get('x')) === 'sent')
  })

  it('is rejected where the connection is lost in the same turn', async () => {
    const client = await ready(LONG)
    const lost = client.set('x', 'lost')
    client.stream.destroy()
    await assert.rejects(lost)
    assert.equal(await waitFor(() => client.get('x').then(String)), 'null')
  })
})

describe('a process with a long command timeout', () => {
  /** Runs code with a connected `store` in a process of its own; resolves with its output when it has ended by itself. */
  async function inProcess(code: string): Promise<string> {
    const src = path.join(__dirname, '../../src/store')
    const settings = JSON.stringify(settingsFor(redis, { commandTimeout: LONG }))
    const program = `
      const { connect } = require('${src}/connection')
      const { Keys } = require('${src}/keys')
      const { Store } = require('${src}/store')
      const client = connect(${settings}, console.error)
      const store = new Store(client, new Keys('ud:'))
      client.once('ready', async () => { ${code} })`
    const { stdout } = await run(process.execPath, ['--require', 'tsx/cjs', '-e', program])
    return stdout.trim()
  }

  it('ends once its connection is closed', async () => {
    const code = "await client.set('x', 1); client.disconnect(); console.log('closed')"
    assert.equal(await inProcess(code), 'closed')
  })

  it('that no longer needs its connection still gets its answers, and then ends', async () => {
    const code = "store.unref(); client.blpop('nothing', 1).then(() => console.log('answered'))"
    assert.equal(await inProcess(code), 'answered')
  })
})
