import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, it } from 'node:test'
import { batchesOf } from '../../src/base/lists'
import { startRelay, waitFor, type SmtpClient, type TestRelay, type TestTenant } from '../support'

const ID = 'contoso'
const WORKERS = 2
const SESSIONS = 4
/** Accepted domains before the first is added while mail flows. */
const MANY = 100_000
const ADDED = 100
/** Between two additions, in ms. */
const PACE = 20
const BLOCKED =
  '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains\r\n'

const plain = (domain: string) => ({ domain, subdomains: false, shared: false })
const registered = (number: number) => `customer-${number}.example`
const added = (number: number) => `added-${number}.example`

let relay: TestRelay
let tenant: TestTenant

before(async () => {
  relay = await startRelay({
    nodes: WORKERS,
    settings: {
      // A busy machine must not change the result.
      redis: { command_timeout: 10_000 },
      // The process that writes the file reads the list for it.
      outage: { snapshot: '' },
    },
  })
  const { client, keys } = relay.store
  const names = Array.from({ length: MANY }, (_, number) => registered(number))
  for (const batch of batchesOf(names, 1000)) {
    await client.hset(keys.domains(ID), ...batch.flatMap((name) => [name, '- 1764000000000 test']))
  }
  // All processes know it then.
  tenant = await relay.tenant(ID, { limits: '1000000/1h' })
})
after(() => relay.stop())

/** Sends a message in this session; every answer must be positive. */
async function pass(client: SmtpClient, domain: string): Promise<void> {
  const sent = await client.send({ from: `someone@${domain}`, to: 'someone@far.example' })
  assert.ok(sent.delivered, `${domain}: ${String(sent.last)}`)
}

it('a domain is added every 20 ms to a tenant with 100,000, while its mail flows', async () => {
  const clients = await Promise.all(Array.from({ length: SESSIONS }, () => tenant.connect()))
  // Each process has the tenant in its cache through one of these sessions.
  for (const client of clients) await pass(client, registered(0))
  assert.equal(await tenant.used(), 0)
  await relay.redis.resetCommandStats()

  let known = 0
  const adding = (async () => {
    while (known < ADDED) {
      await relay.registry.domains.add(ID, [plain(added(known))], 'test')
      known++
      await sleep(PACE)
    }
  })()

  let unregistered = 0
  await Promise.all([
    adding,
    ...clients.map(async (client, session) => {
      for (let round = 0; known < ADDED; round++) {
        await pass(client, registered((round * 7919 + session) % MANY))
        // Registered from the moment the command has answered.
        if (known > 0) await pass(client, added(known - 1))
        await pass(client, `other-${session}.example`)
        unregistered++
      }
    }),
  ])
  assert.equal(await tenant.used(), unregistered)

  // The names and processes show where mail is refused.
  await relay.restrictions.place(ID, { scope: 'unregistered', by: 'anna', reason: 'test' })
  for (const client of clients) {
    await waitFor(async () => {
      const reply = await client.mail('someone@other.example')
      if (reply.positive) await client.rset()
      return reply.raw === BLOCKED
    })
    for (let number = 0; number < ADDED; number++) {
      const reply = await client.mail(`someone@${added(number)}`)
      assert.equal(reply.code, 250, `${added(number)}: ${reply.raw}`)
      await client.rset()
    }
    await pass(client, registered(MANY - 1))
    await client.quit()
  }
  const commands = await relay.redis.commandStats()
  assert.equal(commands['hscan'], undefined, 'the list was read again')
})
