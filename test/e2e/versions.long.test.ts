import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  startRelay,
  waitFor,
  type HarakaVersion,
  type TestRelay,
  type TestTenant,
} from '../support'
import { REPLY } from '../support/replies'

const versions: HarakaVersion[] = ['3.3.4', '3.1.7']

describe('The main story', { concurrency: 2 }, () => {
  for (const version of versions) {
    for (const nodes of [0, 2]) {
      const processes = nodes === 0 ? 'a single process' : `a cluster of ${nodes}`
      it(`on Haraka ${version} as ${processes}`, async (t) => {
        const relay = await startRelay({ version, nodes })
        t.after(() => relay.stop())
        await story(relay)
      })
    }
  }
})

/** A tenant's server is taken over, blocked, and unblocked. */
async function story(relay: TestRelay): Promise<void> {
  const { sink } = relay.haraka
  const contoso = await relay.tenant('contoso', { limits: '3/1h' })
  const fabrikam = await relay.tenant('fabrikam')
  const backup = await relay.connector('contoso', 'backup')

  // Any amount of registered mail passes.
  for (let message = 1; message <= 5; message++) {
    await passes(contoso, 'news@contoso.example')
  }
  assert.equal(await contoso.used(), 0)

  // A little unregistered mail passes too.
  await passes(contoso, 'forwarded@elsewhere.example')
  assert.equal(await contoso.used(), 1)

  // Then comes a flood. What fits the allowance is delivered; the next recipient is refused.
  const pour = await contoso.send({
    from: 'phisher@bank.example',
    to: ['one@far.example', 'two@far.example', 'three@far.example'],
    subject: 'pour',
  })
  assert.deepEqual(
    pour.rcpts.map(({ raw }) => raw),
    [
      '250 recipient <one@far.example> OK\r\n',
      '250 recipient <two@far.example> OK\r\n',
      REPLY.blocked,
    ],
  )
  assert.equal(pour.delivered, true)
  const delivered = await sink.waitFor(({ subject }) => subject === 'pour')
  assert.deepEqual(delivered.rcptTo, ['one@far.example', 'two@far.example'])
  assert.deepEqual(delivered.note, {
    tenant: 'contoso',
    connector: 'contoso/mx',
    class: 'unregistered',
  })
  assert.deepEqual((await contoso.restriction())?.trigger, {
    window: 3_600_000,
    limit: 3,
    used: 3,
    domain: 'bank.example',
    connector: 'contoso/mx',
    ip: contoso.session.localAddress,
  })

  // From now on it is refused at MAIL, in every process, by every connector of the tenant.
  const mails = async (from: string): Promise<string[]> => {
    const replies = []
    for (const session of [contoso.session, backup, contoso.session, backup]) {
      const client = await relay.haraka.connect(session)
      replies.push((await client.mail(from)).raw)
      await client.quit()
    }
    return replies
  }
  const all = async (reply: string): Promise<boolean> =>
    (await mails('phisher@bank.example')).every((each) => each === reply)
  await waitFor(() => all(REPLY.blocked), { what: 'all processes refuse it at MAIL' })

  // Nothing else is refused.
  await passes(contoso, 'news@contoso.example')
  await passes(contoso, 'news@contoso.example')
  await passes(fabrikam, 'news@fabrikam.example')
  await passes(fabrikam, 'forwarded@elsewhere.example')
  assert.equal(await contoso.used(), 3)

  // A person lifts it, and mail flows.
  assert.equal(await relay.lift('contoso'), 'lifted')
  const welcome = '250 sender <phisher@bank.example> OK\r\n'
  await waitFor(() => all(welcome), { what: 'all processes take it again' })
  await passes(contoso, 'forwarded@elsewhere.example')
  await passes(contoso, 'forwarded@elsewhere.example')
  assert.equal(await contoso.used(), 2)
}

async function passes(tenant: TestTenant, from: string): Promise<void> {
  const sent = await tenant.send({ from, to: 'someone@far.example' })
  assert.equal(sent.delivered, true, `${from} of ${tenant.id}: ${String(sent.last)}`)
}
