import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { freePort } from '../../scripts/services/port'
import { waitFor } from '../../scripts/services/wait-for'
import { within } from '../../src/base/deadline'
import { addressOf, connect } from '../../src/store/connection'
import type { RedisSettings } from '../../src/store/settings'
import { Keys } from '../../src/store/keys'
import { Store, type Client } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'

let redis: TestRedis
const clients: Client[] = []
let errors: string[] = []

before(async () => {
  redis = await startRedis()
})
after(() => redis.stop())
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect()
  errors = []
  redis.resume()
  await redis.client().flushall()
})

function open(settings: Partial<RedisSettings> = {}): Client {
  const client = connect(settingsFor(redis, settings), (message) => errors.push(message))
  clients.push(client)
  return client
}

async function ready(settings: Partial<RedisSettings> = {}): Promise<Client> {
  const client = open(settings)
  await waitFor(() => client.status === 'ready')
  return client
}

/** Lets nothing else happen in this process for so many ms, and until Redis has answered another one. */
function holdUp(ms: number, port: number): void {
  const other = `
    const socket = require('net').connect(${port}, '127.0.0.1')
    socket.end('PING\\r\\n').resume().on('end', () => setTimeout(() => {}, ${ms}))`
  execFileSync(process.execPath, ['-e', other])
}

describe('a connection', () => {
  it('comes up in the background, with a name that operators see', async () => {
    const client = open()
    assert.notEqual(client.status, 'ready')
    await waitFor(() => client.status === 'ready')
    assert.equal(await client.ping(), 'PONG')
    assert.match(String(await client.call('CLIENT', 'GETNAME')), /unregistered-domain/)
    assert.deepEqual(errors, [])
  })

  it('takes answers that came while the event loop was held up for longer than a command may take', async () => {
    const commandTimeout = 100
    const client = await ready({ commandTimeout })
    const store = new Store(client, new Keys('ud:'))
    const script = { name: 'here', source: "return 'here'" }
    // Redis has it from then on: else it is sent a second time, with no time left over.
    await waitFor(() => store.run(script, [], []))
    const run = store.run(script, [], [])
    const answers = Promise.all([client.ping(), run, within(commandTimeout, client.ping())])
    // They have left when this turn is over.
    await new Promise((resolve) => setImmediate(resolve))
    holdUp(commandTimeout * 2, redis.port)
    assert.deepEqual(await answers, ['PONG', 'here', 'PONG'])
  })

  it('refuses commands at once while there is none, and tells why there is none', async () => {
    const client = open({ port: await freePort() })
    await assert.rejects(client.get('x'), /Stream isn't writeable|Connection is closed/)
    await waitFor(() => errors.length >= 2)
    assert.match(errors[0]!, /ECONNREFUSED/)
    await assert.rejects(client.get('x'))
  })

  it('tells why neither address of a name answers', async () => {
    open({ host: 'localhost', port: await freePort() })
    await waitFor(() => errors.length > 0)
    assert.match(errors[0]!, /ECONNREFUSED/)
  })

  it('gives a command no longer than its timeout, and goes on afterwards', async () => {
    const client = await ready({ commandTimeout: 100 })
    redis.pause()
    await assert.rejects(client.get('x'), /Command timed out/)
    redis.resume()
    assert.equal(await waitFor(() => client.ping()), 'PONG')
  })

  it('goes on by itself when Redis comes back, and sends nothing again', async () => {
    const client = await ready()
    await client.set('count', 0)
    redis.pause()
    const lost = Promise.allSettled([
      client.incr('count'),
      client.eval("return redis.call('INCR', KEYS[1])", 1, 'count'),
    ])
    await redis.kill()
    const settled = await lost
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    await redis.restart()
    await waitFor(() => client.status === 'ready')
    assert.equal(await client.incr('count'), 1)
  })

  it('does not subscribe again by itself', async () => {
    const client = await ready()
    await client.subscribe('channel')
    await redis.restart()
    await waitFor(() => client.status === 'ready')
    await redis.resetCommandStats()
    assert.equal(await redis.client().publish('channel', 'x'), 0)
    assert.equal((await redis.commandStats())['subscribe'], undefined)
  })

  it('connects anew where it finds a replica, without sending again', async () => {
    const client = await ready()
    const admin = redis.client()
    await admin.call('REPLICAOF', '127.0.0.1', String(await freePort()))
    let closed = false
    client.once('close', () => (closed = true))
    await assert.rejects(client.set('x', 'y'), /READONLY/)
    await waitFor(() => closed)
    await admin.call('REPLICAOF', 'NO', 'ONE')
    await waitFor(async () => (await client.set('x', 'y')) === 'OK')
  })

  it('connects anew where a script of Redis 6.2 finds a replica', async () => {
    const client = await ready()
    let closed = false
    client.once('close', () => (closed = true))
    const error =
      'ERR Error running script (call to f_1): @user_script:9: @user_script: 9: -READONLY x'
    await assert.rejects(client.eval('return redis.error_reply(ARGV[1])', 0, error), /READONLY/)
    await waitFor(() => closed)
  })

  it('selects the database, and logs in', async () => {
    const admin = redis.client()
    await admin.call('ACL', 'SETUSER', 'mail', 'on', '>00712', '~*', '&*', '+@all')
    const client = await ready({ db: 3, username: 'mail', password: '00712' })
    await client.set('x', 'three')
    await admin.select(3)
    assert.equal(await admin.get('x'), 'three')
    assert.equal(await client.call('ACL', 'WHOAMI'), 'mail')
  })

  it('goes on asking where it may not log in', async () => {
    open({ username: 'nobody', password: 'wrong' })
    await waitFor(() => errors.some((each) => /WRONGPASS/.test(each)))
  })

  it('gives up a server that takes connections and says nothing', async () => {
    const sockets = new Set<{ destroy(): unknown }>()
    const server = createServer((socket) => sockets.add(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const client = open({ port, commandTimeout: 100 })
    await waitFor(() => sockets.size > 0)
    await assert.rejects(client.get('x'))
    await waitFor(() => sockets.size > 1, { what: 'another attempt' })
    for (const socket of sockets) socket.destroy()
    server.close()
  })
})

describe('addressOf', () => {
  it('says where Redis is', () => {
    const a = { host: 'a', port: 1 }
    const b = { host: 'b', port: 2 }
    const settings = { ...settingsFor({ port: 6379 }), host: 'redis.local' }
    assert.equal(addressOf(settings), 'redis.local:6379')
    assert.equal(addressOf({ ...settings, cluster: [a, b] }), 'cluster a:1, b:2')
    assert.equal(
      addressOf({ ...settings, sentinels: [a, b], sentinelName: 'mymaster' }),
      'mymaster by sentinels a:1, b:2',
    )
  })
})
