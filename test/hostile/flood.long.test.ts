// The same over SMTP. To run all of it, without the time limit of the test runner:
// MESSAGES=1000000 node --import tsx --test test/hostile/flood.long.test.ts
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { runSession, step, type Step } from '../../bench/smtp-session'
import { SmtpClient, startRelay, waitFor, type TestRelay } from '../support'

const MB = 2 ** 20
const MESSAGES = Number(process.env['MESSAGES'] ?? 6_000)
const EACH = 10
const AT_ONCE = 16
/** A plugin that accepts a tenant's messages without keeping them, and every password. */
const LOCAL = {
  flood_discard: 'exports.hook_queue = exports.hook_queue_outbound = (next) => next(OK)\n',
  // The relay plugin checks the address when a session begins, and not again after XCLIENT.
  flood_relay: 'exports.hook_ehlo = (next, connection) => { connection.relaying = true; next() }\n',
  flood_auth: `
exports.register = function () { this.inherits('auth/auth_base') }
exports.hook_capabilities = (next, connection) => {
  connection.capabilities.push('AUTH PLAIN')
  connection.notes.allowed_auth_methods = ['PLAIN']
  next()
}
exports.check_plain_passwd = (connection, user, password, callback) => callback(true)
`,
  flood_witness: `
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
exports.hook_vrfy = (next) => {
  collectGarbage()
  const { rss, heapUsed } = process.memoryUsage()
  next(OK, 'rss=' + rss + ' heap=' + heapUsed)
}
`,
}

let relay: TestRelay
before(async () => {
  relay = await startRelay({
    plugins: [
      'xclient',
      'flood_auth',
      'flood_relay',
      'unregistered-domain',
      ...['discard', 'witness'].map((name) => `flood_${name}`),
    ],
    localPlugins: LOCAL,
    settings: { attribution: { unknown: 'deny' }, redis: { command_timeout: 20_000 } },
    config: { 'log.ini': '[main]\nlevel=notice\n' },
  })
  const limits = '1000000000/1h, 1000000000/1d'
  // Half of the client addresses are its own.
  await relay.tenant('contoso', {
    limits,
    connectors: { mx: { ip: ['10.0.0.0/9', '127.0.0.0/8'] } },
  })
  await waitFor(async () => (await sessionReplies()).startsWith('250'))
})
after(() => relay.stop())

/** The reply to MAIL from the tenant's own domain. */
async function sessionReplies(): Promise<string> {
  const client = await SmtpClient.open({ port: relay.haraka.port })
  const { raw } = await client.mail('someone@contoso.example')
  await client.quit()
  return raw
}

/** The address of a session: every second one is the tenant's. */
function addressOf(session: number): string {
  return `10.${(session % 2) * 128 + ((session >> 16) & 127)}.${(session >> 8) & 255}.${session & 255}`
}

/** A session of ten messages from a new address, each from a new domain. */
function commands(session: number): Step[] {
  const xclient = step(`XCLIENT NAME=client.example ADDR=${addressOf(session)}`, '220')
  const steps = [xclient, step('EHLO client.example', '250')]
  const own = session % 2 === 0
  if (session % 4 === 1) {
    const login = Buffer.from(`\0user@u${session}.example\0secret`).toString('base64')
    steps.push(step(`AUTH PLAIN ${login}`, '235'))
  }
  for (let at = session * EACH; at < (session + 1) * EACH; at++) {
    steps.push(step(`MAIL FROM:<someone@d${at}.example>`, own ? '250' : '550 5.7.64'))
    if (!own) continue
    steps.push(step('RCPT TO:<someone@far.example>', '250'))
    if (at % EACH !== 0) steps.push(step('RSET', '250'))
    else steps.push(step('DATA', '354'), step('Subject: lure\r\n\r\nhere\r\n.', '250'))
  }
  return steps
}

async function send(from: number, to: number): Promise<void> {
  let next = from
  const run = async (): Promise<void> => {
    while (next < to) {
      const steps = commands(next++)
      await runSession({
        ...{ port: relay.haraka.port, ip: '127.0.0.1' },
        next: () => steps.splice(0),
      })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, run))
}

/** Bytes of Haraka, resident and of its heap in use, and of Redis. */
async function memory(): Promise<{ rss: number; heap: number; redis: number; keys: number }> {
  const client = await SmtpClient.open({ port: relay.haraka.port })
  const { raw } = await client.command('VRFY memory')
  await client.quit()
  const [, rss, heap] = /rss=(\d+) heap=(\d+)/.exec(raw) ?? []
  const info = await relay.store.client.info('memory')
  const redis = Number(/^used_memory:(\d+)/m.exec(info)?.[1])
  const keys = await (relay.redis.client() as { dbsize(): Promise<number> }).dbsize()
  return { rss: Number(rss), heap: Number(heap), redis, keys }
}

it(
  `a worker and Redis do not grow under ${MESSAGES} messages from as many domains, one session in four with an AUTH user of a new domain`,
  { timeout: Infinity },
  async (t) => {
    const sessions = MESSAGES / EACH
    await send(0, sessions / 5)
    const before = await memory()
    await send(sessions / 5, sessions)
    const now = await memory()
    t.diagnostic(JSON.stringify({ before, now }))
    const heap = now.heap - before.heap
    assert.ok(heap < 4 * MB, `${heap} bytes of heap`)
    assert.ok(now.rss < 1.25 * before.rss, `${now.rss} bytes resident, ${before.rss} before`)
    const receipts = now.keys - before.keys
    const redis = now.redis - before.redis
    assert.ok(
      redis < 500 * Math.max(receipts, 0) + 2 * MB,
      `${redis} bytes of Redis, ${receipts} keys`,
    )
  },
)
