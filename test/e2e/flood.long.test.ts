import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import {
  defaultPlugins,
  floodData,
  floodDeaf,
  floodIdle,
  floodSlow,
  newAddress,
  startHaraka,
  startRelay,
  waitFor,
  type Flood,
  type Mail,
  type SmtpClient,
  type TestHaraka,
  type TestRelay,
  type TestTenant,
} from '../support'
import { NO_RDNS } from '../../scripts/services/no-rdns'

/** Idle connections; FLOOD=5000 has as many as `npm run soak`. */
const IDLE = Number(process.env['FLOOD'] ?? 500)
/** Slow clients of each kind. */
const SLOW = 20
/** ms between two bytes, or two lines. */
const PAUSE = 5
const DEAF = 2
/** Transactions of a client that reads no answer: more bytes than its socket buffers. */
const TURNS = 800

const UNREGISTERED = 'x@unregistered.example'
const BLOCKED =
  '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains\r\n'

const named = { localPlugins: { [NO_RDNS.name]: NO_RDNS.text } }
let relay: TestRelay
let alone: TestHaraka
before(async () => {
  ;[relay, alone] = await Promise.all([
    startRelay({
      ...named,
      plugins: [NO_RDNS.name, ...defaultPlugins],
      // A busy machine must not change the result.
      settings: { redis: { command_timeout: 10_000 } },
    }),
    startHaraka({ ...named, plugins: [NO_RDNS.name, 'relay', 'test_sink'] }),
  ])
})
after(() => Promise.all([relay.stop(), alone.stop()]))

/** The servers that get the same flood. */
const servers = () => ({ 'with the plugin': relay.haraka, alone })

/** All replies of a session with these messages, without their unique parts. */
async function talk(on: TestHaraka, address: string, mails: readonly Mail[]): Promise<string[]> {
  const client = await on.connect({ localAddress: address })
  const replies = [client.greeting, await client.ehlo()]
  for (const mail of mails) {
    const { mail: first, rcpts, end } = await client.send(mail)
    replies.push(first, ...rcpts, ...(end ? [end] : []))
  }
  replies.push(await client.quit())
  return replies.map(({ raw }) => withoutIds(raw))
}

/** Haraka puts a unique id into greetings and into the answer to a message. */
function withoutIds(replies: string): string {
  return replies.replace(/\([0-9A-F-]{6,}(\.\d+)?\)/g, '(id)')
}

/** Registered mail, counted mail to two recipients, and a bounce. */
function mailOf({ domain }: TestTenant): readonly Mail[] {
  return [
    { from: `a@${domain}`, to: 'b@far.example' },
    { from: UNREGISTERED, to: ['b@far.example', 'c@far.example'] },
    { from: '', to: 'b@far.example' },
  ]
}

const COUNTED = 2

function addressesOf({ session }: TestTenant): readonly string[] {
  return [session.localAddress!]
}

/**
 * Floods both servers, and checks that other sessions get the same answers from both as before.
 *
 * @param meanwhile checks more while the floods last.
 */
async function withFlood<Kind extends Flood>(
  id: string,
  start: (server: TestHaraka) => Promise<Kind>,
  meanwhile: (floods: readonly Kind[]) => Promise<void> | void = () => {},
): Promise<void> {
  const tenant = await relay.tenant(id, { limits: '100/1h', nullLimits: '100/1h' })
  const address = tenant.session.localAddress!
  const before = await talk(relay.haraka, address, mailOf(tenant))
  assert.ok(
    before.every((reply) => /^[23]/.test(reply)),
    before.join(''),
  )
  assert.deepEqual(await talk(alone, address, mailOf(tenant)), before)

  const floods: Kind[] = []
  try {
    for (const [name, server] of Object.entries(servers())) {
      floods.push(await start(server))
      assert.deepEqual(await talk(server, address, mailOf(tenant)), before, name)
    }
    assert.equal(await tenant.used(), 2 * COUNTED)
    assert.equal(await tenant.used('null'), 2)
    await meanwhile(floods)
  } finally {
    await Promise.all(floods.map((flood) => flood.end()))
  }
}

describe('others are answered as by Haraka alone', () => {
  it(`while ${IDLE} connections are idle`, async () => {
    const addresses = Array.from({ length: 10 }, newAddress)
    await withFlood(
      'idle',
      ({ port }) => floodIdle(IDLE, { port, addresses }),
      (floods) => {
        for (const flood of floods) assert.equal(flood.connected(), IDLE)
      },
    )
  })

  it('while clients send their commands byte by byte', async () => {
    const addresses = Array.from({ length: 10 }, newAddress)
    await withFlood('slow', ({ port }) => floodSlow(SLOW, { port, addresses }, PAUSE))
  })

  it('while clients send endless messages, whose recipients stay counted', async () => {
    const sender = await relay.tenant('endless', { limits: '100/1h' })
    const mail = { from: UNREGISTERED, to: 'b@far.example', pause: PAUSE }
    await withFlood(
      'beside-endless',
      ({ port }) => floodData(SLOW, { port, addresses: addressesOf(sender) }, mail),
      async (floods) => {
        assert.equal(await sender.used(), SLOW)
        for (const flood of floods) assert.equal(flood.connected(), SLOW)
      },
    )
    // They left without a final dot.
    await waitFor(async () => (await sender.used()) === 0, { what: 'charges given back' })
  })

  it('while clients send thousands of commands and read no answer until later', async () => {
    const sender = await relay.tenant('deaf', { limits: '100000/1h' })
    const turn = [
      'EHLO deaf.example',
      `MAIL FROM:<${UNREGISTERED}>`,
      'RCPT TO:<b@far.example>',
      'RSET',
    ]
    const turns = Array.from({ length: TURNS }, () => turn).flat()
    const commands = [...turns, 'QUIT']
    await withFlood(
      'beside-deaf',
      ({ port }) => floodDeaf(DEAF, { port, addresses: addressesOf(sender) }, commands),
      async (floods) => {
        const [first = [], second = []] = await Promise.all(floods.map((flood) => flood.hear()))
        const heard = [...new Set([...first, ...second].map(withoutIds))]
        assert.equal(heard.length, 1, 'all hear the same, from both servers')
        const negative = heard[0]!.split('\r\n').filter((line) => /^[45]/.test(line))
        assert.deepEqual(negative, [])
        assert.ok(heard[0]!.split('\r\n').length > turns.length)
      },
    )
    await waitFor(async () => (await sender.used()) === 0, { what: 'charges given back' })
  })
})

it('a client that sends byte by byte gets the answers of Haraka alone, and is counted', async () => {
  const tenant = await relay.tenant('bytes', { limits: '3/1h' })
  const lines = [
    'EHLO slow.example',
    `MAIL FROM:<${UNREGISTERED}>`,
    'RCPT TO:<a@far.example>',
    'RCPT TO:<b@far.example>',
    'DATA',
    'Subject: slow\r\n\r\nslow\r\n.',
    'QUIT',
  ]
  const heard = Object.values(servers()).map(async (server) => {
    const client = await tenant.connect({ on: server })
    const replies: string[] = []
    for (const line of lines) {
      for (const byte of `${line}\r\n`) {
        client.write(byte)
        await setImmediate()
      }
      replies.push(withoutIds((await client.read()).raw))
    }
    return replies
  })
  const [ours, theirs] = await Promise.all(heard)
  assert.deepEqual(ours, theirs)
  assert.match(ours?.at(-2) ?? '', /^250 /)
  assert.equal(await tenant.used(), 2)
})

describe('a transaction that is held open', () => {
  const RECIPIENTS = ['a@far.example', 'b@far.example', 'c@far.example']

  /** A tenant with an allowance of four; an open transaction holds three. */
  async function held(id: string): Promise<{ tenant: TestTenant; holder: SmtpClient }> {
    const tenant = await relay.tenant(id, { limits: '4/1h' })
    const holder = await tenant.connect()
    assert.equal((await holder.mail(UNREGISTERED)).code, 250)
    for (const recipient of RECIPIENTS) assert.equal((await holder.rcpt(recipient)).code, 250)
    assert.equal(await tenant.used(), RECIPIENTS.length)
    return { tenant, holder }
  }

  for (const how of ['FIN', 'RST'] as const) {
    it(`keeps its charges under a flood, and refunds them when its client leaves (${how})`, async () => {
      const { tenant, holder } = await held(`held-${how.toLowerCase()}`)
      const flood = await floodIdle(IDLE, {
        port: relay.haraka.port,
        addresses: addressesOf(tenant),
      })
      assert.equal(await tenant.used(), RECIPIENTS.length)
      const sent = await tenant.send({ from: UNREGISTERED, to: 'd@far.example' })
      assert.ok(sent.delivered, String(sent.last))
      assert.equal(await tenant.used(), RECIPIENTS.length + 1)

      await holder.leave(how)
      await waitFor(async () => (await tenant.used()) === 1, { what: 'charges given back' })
      assert.equal(flood.connected(), IDLE)
      await flood.end()
      assert.equal(await tenant.used(), 1)
    })
  }

  it('counts for the limit as long as it is open', async () => {
    const { tenant, holder } = await held('held-limit')
    const sent = await tenant.send({ from: UNREGISTERED, to: ['d@far.example', 'e@far.example'] })
    assert.deepEqual(
      sent.rcpts.map(({ raw }) => raw),
      [sent.rcpts[0]!.raw, BLOCKED],
    )
    assert.ok(sent.delivered)
    // Its own recipients were accepted before.
    assert.equal((await holder.data()).code, 354)
    assert.equal((await holder.message()).code, 250)
    assert.equal(await tenant.used(), 4)
    await holder.quit()
  })
})
