import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import {
  newAddress,
  sharedRelay,
  startRelay,
  waitFor,
  type HarakaVersion,
  type TestRelay,
  type TestTenant,
} from '../support'
import { REPLY } from '../support/replies'

// The two versions have different address objects, and so different ways from an address to its domain.
for (const version of ['3.3.4', '3.1.7'] satisfies HarakaVersion[]) {
  describe(`registered mail on Haraka ${version}`, () => {
    let relay: TestRelay
    if (version === '3.3.4') {
      sharedRelay((started) => (relay = started))
    } else {
      before(async () => {
        relay = await startRelay({ version })
      })
      after(() => relay.stop())
    }

    /** Sends from an address; returns the class of the message and its charges. */
    async function classOf(tenant: TestTenant, from: string, params = ''): Promise<string> {
      const charged = await tenant.used()
      const client = await tenant.connect()
      const mail = await client.mail(from, params)
      assert.equal(mail.code, 250, String(mail))
      assert.equal((await client.rcpt('someone@far.example')).code, 250)
      await client.data()
      const end = await client.message()
      assert.equal(end.code, 250, String(end))
      await client.quit()
      const uuid = /\((.+)\)/.exec(String(end))?.[1]
      const { note } = await relay.haraka.sink.waitFor((message) => message.uuid === uuid)
      const sender = (note as { class: string }).class
      assert.equal(await tenant.used(), charged + (sender === 'unregistered' ? 1 : 0))
      return sender
    }

    it('passes without a Redis command, in a known session and in a new one', async () => {
      const tenant = await relay.tenant('no-command')
      await asksNothing(relay, async () => {
        const client = await tenant.connect()
        for (let message = 1; message <= 5; message++) {
          const to = ['a@far.example', 'b@far.example', 'c@other.example']
          assert.ok((await client.send({ from: `x@${tenant.domain}`, to })).delivered)
        }
        await client.quit()
        const last = { from: `x@${tenant.domain}`, to: 'a@far.example' }
        assert.ok((await tenant.send(last)).delivered)
      })
      assert.equal(await tenant.used(), 0)
    })

    it('passes while the tenant is restricted, and neither it nor a refusal uses Redis', async () => {
      const tenant = await relay.tenant('restricted', { limits: '1/1h' })
      await tenant.send({ from: 'x@stolen.example', to: ['a@far.example', 'b@far.example'] })
      assert.ok(await tenant.restriction())
      const client = await tenant.connect()
      assert.equal((await client.mail('x@stolen.example')).raw, REPLY.blocked)

      await asksNothing(relay, async () => {
        const registered = { from: `x@${tenant.domain}`, to: 'a@far.example' }
        assert.ok((await client.send(registered)).delivered)
        assert.equal((await client.mail('y@stolen.example')).raw, REPLY.blocked)
      })
      await client.quit()
    })

    it('passes from the address that its connector has got in place of another', async () => {
      const tenant = await relay.tenant('moving')
      const moved = { localAddress: newAddress() }
      await relay.registry.connectors.setIdentities('moving', 'mx', {
        add: { ip: [moved.localAddress] },
        remove: { ip: [tenant.session.localAddress!] },
      })
      await relay.attributed(moved, 'moving/mx')
      await relay.attributed(tenant.session, null)
      const mail = { from: `x@${tenant.domain}`, to: 'someone@far.example', session: moved }
      assert.ok((await relay.haraka.send(mail)).delivered)
      assert.equal(await tenant.used(), 0)
    })

    it('is the accepted domain itself, and names below it only with subdomains', async () => {
      const tenant = await relay.tenant('below', {
        domains: ['exact.example', { domain: 'tree.example', subdomains: true }],
      })
      assert.equal(await classOf(tenant, 'x@exact.example'), 'registered')
      assert.equal(await classOf(tenant, 'x@mail.exact.example'), 'unregistered')
      assert.equal(await classOf(tenant, 'x@tree.example'), 'registered')
      assert.equal(await classOf(tenant, 'x@a.b.c.tree.example'), 'registered')
    })

    it('does not include names that only look like an accepted domain', async () => {
      const tenant = await relay.tenant('alike', {
        domains: [{ domain: 'alike.example', subdomains: true }],
      })
      for (const domain of [
        'notalike.example',
        'alike.example.evil.example',
        'alike-example.evil.example',
        'example',
      ]) {
        assert.equal(await classOf(tenant, `x@${domain}`), 'unregistered', domain)
      }
    })

    it('is the same in upper and lower case, and where registered with a trailing dot', async () => {
      const tenant = await relay.tenant('case', { domains: ['CamelCase.Example.'] })
      assert.equal(await classOf(tenant, 'x@camelcase.example'), 'registered')
      assert.equal(await classOf(tenant, 'X@CAMELCASE.EXAMPLE'), 'registered')
    })

    it('has no trailing dot in MAIL: Haraka itself refuses that (RFC 5321 section 4.1.2)', async () => {
      const tenant = await relay.tenant('dot')
      const client = await tenant.connect()
      assert.equal((await client.mail(`x@${tenant.domain}.`)).code, 501)
      await client.quit()
    })

    it('is the same as A-label and U-label, in registry and envelope', async () => {
      const tenant = await relay.tenant('idn', {
        domains: ['münchen.example', 'xn--bcher-kva.example'],
      })
      for (const domain of ['münchen.example', 'bücher.example']) {
        assert.equal(await classOf(tenant, `x@${domain}`, 'SMTPUTF8'), 'registered', domain)
      }
      for (const domain of ['xn--mnchen-3ya.example', 'xn--bcher-kva.example']) {
        assert.equal(await classOf(tenant, `x@${domain}`), 'registered', domain)
      }
      assert.equal(await classOf(tenant, 'x@xn--zrich-kva.example'), 'unregistered')
    })

    it('does not include senders without a domain, which are unregistered', async () => {
      const tenant = await relay.tenant('no-domain')
      assert.equal(await classOf(tenant, 'postmaster'), 'unregistered')
      assert.equal(await classOf(tenant, 'x@[192.0.2.1]'), 'unregistered')
    })
  })
}

/** Checks that this causes no Redis command. It retries, since reports are flushed every five seconds. */
async function asksNothing(relay: TestRelay, send: () => Promise<void>): Promise<void> {
  let commands = {}
  const isSo = async (): Promise<boolean> => {
    await relay.redis.resetCommandStats()
    await send()
    commands = await relay.redis.commandStats()
    return isDeepStrictEqual(commands, {})
  }
  await waitFor(isSo).catch(() => assert.deepEqual(commands, {}))
}
