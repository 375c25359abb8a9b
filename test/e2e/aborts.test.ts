import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  formatMessage,
  startRelay,
  waitFor,
  type HarakaVersion,
  type Mail,
  type SmtpClient,
  type TestRelay,
  type TestTenant,
} from '../support'

/**
 * Another plugin. It refuses where the recipient or a header says so. Its reset hook waits for a recipient slow-reset
 * while there is a file `reset-held`.
 */
const REFUSER = `
const fs = require('node:fs')
const names = (transaction, start) =>
  transaction.rcpt_to.some((recipient) => recipient.user.startsWith(start))

exports.register = function () {
  this.register_hook('rcpt', 'refuse_rcpt')
  this.register_hook('rcpt_ok', 'refuse_later', 50)
  this.register_hook('data', 'refuse_data')
  this.register_hook('data_post', 'refuse_data_post')
  this.register_hook('reset_transaction', 'reset_slowly', -100)
}
exports.refuse_rcpt = (next, connection, [recipient]) =>
  recipient.user.startsWith('refuse-rcpt') ? next(DENY, 'no') : next()
exports.refuse_later = (next, connection, recipient) =>
  recipient.user.startsWith('refuse-later') ? next(DENY, 'no') :
  recipient.user.startsWith('defer-later') ? next(DENYSOFT, 'not now') : next()
exports.refuse_data = (next, connection) =>
  names(connection.transaction, 'refuse-data') ? next(DENY, 'no') : next()
exports.refuse_data_post = (next, connection) => {
  const wish = connection.transaction.header.get('X-Data-Post').trim()
  return wish === 'refuse' ? next(DENY, 'no') : wish === 'defer' ? next(DENYSOFT, 'not now') : next()
}
exports.reset_slowly = (next, connection) => {
  if (!names(connection.transaction, 'slow-reset')) return next()
  connection.loginfo(this, 'reset is held')
  const timer = setInterval(() => {
    if (fs.existsSync(process.env.HARAKA + '/reset-held')) return
    clearInterval(timer)
    next()
  }, 10)
}
`
const FROM = 'x@unregistered.example'

// Whether a message was accepted follows from Haraka's own bookkeeping.
for (const version of ['3.3.4', '3.1.7'] satisfies HarakaVersion[]) {
  describe(`recipients of messages that are not accepted, on Haraka ${version}`, () => {
    let relay: TestRelay
    before(async () => {
      relay = await startRelay({
        version,
        // The refuser is loaded before this plugin, so its reset hook of the same priority runs first.
        plugins: ['relay', 'refuser', 'unregistered-domain', 'test_sink'],
        localPlugins: { refuser: REFUSER },
        config: { 'outbound.ini': 'disabled=true\n' },
      })
    })
    after(() => relay.stop())

    /** A tenant with two recipients charged, so that a refund too many would show. */
    async function chargedTenant(id: string): Promise<TestTenant> {
      const tenant = await relay.tenant(id, { limits: '100/1h' })
      await tenant.send({ from: FROM, to: ['a@far.example', 'b@far.example'] })
      assert.equal(await tenant.used(), 2)
      return tenant
    }

    /**
     * Waits until this number is charged above the two of chargedTenant(), and that it stays so: one more message is
     * charged after everything that the plugin has sent to Redis.
     */
    async function assertCharged(tenant: TestTenant, count: number): Promise<void> {
      let used = -1
      const settled = async () => (used = await tenant.used()) === 2 + count
      await waitFor(settled).catch(() => assert.equal(used, 2 + count))
      await tenant.send({ from: FROM, to: 'one-more@far.example' })
      assert.equal(await tenant.used(), 2 + count + 1)
    }

    /** A session with two recipients charged and the transaction open. */
    async function openTransaction(tenant: TestTenant, to?: string[]): Promise<SmtpClient> {
      const client = await tenant.connect()
      assert.equal((await client.mail(FROM)).code, 250)
      for (const recipient of to ?? ['c@far.example', 'd@far.example']) {
        assert.equal((await client.rcpt(recipient)).code, 250)
      }
      assert.equal(await tenant.used(), 4)
      return client
    }

    /** Waits until Haraka has seen the end of the tenant's last session. */
    async function sessionEnded({ session }: TestTenant): Promise<void> {
      const { localAddress = '' } = session
      const count = (event: string) =>
        relay.haraka.log.split(`[core] ${event} ip=${localAddress} `).length
      await waitFor(() => count('disconnect') === count('connect'), { what: 'end of the session' })
    }

    describe('are refunded once', () => {
      it('after RSET', async () => {
        const tenant = await chargedTenant('rset')
        const client = await openTransaction(tenant)
        assert.equal((await client.rset()).code, 250)
        await assertCharged(tenant, 0)
        await client.quit()
        await sessionEnded(tenant)
        assert.equal(await tenant.used(), 3)
      })

      it('after EHLO, which resets too', async () => {
        const tenant = await chargedTenant('ehlo')
        const client = await openTransaction(tenant)
        await client.ehlo()
        await assertCharged(tenant, 0)
        await client.quit()
      })

      it('after QUIT', async () => {
        const tenant = await chargedTenant('quit')
        await (await openTransaction(tenant)).quit()
        await assertCharged(tenant, 0)
      })

      for (const how of ['FIN', 'RST'] as const) {
        it(`after a ${how} before DATA`, async () => {
          const tenant = await chargedTenant(`before-data-${how.toLowerCase()}`)
          await (await openTransaction(tenant)).leave(how)
          await sessionEnded(tenant)
          await assertCharged(tenant, 0)
        })

        it(`after a ${how} before the final dot`, async () => {
          const tenant = await chargedTenant(`before-dot-${how.toLowerCase()}`)
          const client = await openTransaction(tenant)
          assert.equal((await client.data()).code, 354)
          client.write('Subject: cut off\r\n\r\nThe first half of')
          await client.leave(how)
          await sessionEnded(tenant)
          await assertCharged(tenant, 0)
        })
      }

      it('when a plugin refuses in data', async () => {
        const tenant = await chargedTenant('data')
        const client = await openTransaction(tenant, ['c@far.example', 'refuse-data@far.example'])
        assert.equal((await client.data()).code, 554)
        await client.quit()
        await assertCharged(tenant, 0)
      })

      const endings: [string, Mail['headers'], number][] = [
        ['a plugin refuses in data_post', { 'X-Data-Post': 'refuse' }, 550],
        ['a plugin defers in data_post', { 'X-Data-Post': 'defer' }, 450],
        ['the queue refuses', { 'X-Sink': 'refuse' }, 550],
        ['the queue defers', { 'X-Sink': 'defer' }, 450],
      ]
      for (const [what, headers = {}, code] of endings) {
        it(`when ${what}`, async () => {
          const tenant = await chargedTenant(what.replaceAll(/[\W_]/g, '-'))
          const sent = await tenant.send({
            from: FROM,
            to: ['c@far.example', 'd@far.example'],
            headers,
          })
          assert.equal(sent.end?.code, code)
          await assertCharged(tenant, 0)
        })
      }

      it('when a dot with a bare line feed cuts the message off (SMTP smuggling)', async () => {
        const tenant = await chargedTenant('bare-lf')
        const client = await openTransaction(tenant)
        await client.data()
        client.write('Subject: smuggled\r\n\r\n.\n')
        assert.equal((await client.read()).code, 451)
        await client.leave()
        await sessionEnded(tenant)
        await assertCharged(tenant, 0)
      })

      it('when the client leaves while the reset hook of another plugin is slow', async () => {
        const tenant = await chargedTenant('slow-reset')
        const client = await openTransaction(tenant, ['c@far.example', 'slow-reset@far.example'])
        const held = path.join(relay.haraka.dir, 'reset-held')
        const from = relay.haraka.log.length
        writeFileSync(held, '')
        client.write('RSET\r\n')
        await relay.haraka.waitForLog(/reset is held/, { from })
        await client.leave('RST')
        await assertCharged(tenant, 0)
        // Only now may the slow plugin go on.
        rmSync(held)
        await sessionEnded(tenant)
        assert.equal(await tenant.used(), 3)
      })
    })

    describe('are charged or refunded one by one', () => {
      it('when a plugin refuses them at rcpt', async () => {
        const tenant = await chargedTenant('at-rcpt')
        const to = ['c@far.example', 'refuse-rcpt@far.example']
        const sent = await tenant.send({ from: FROM, to })
        assert.deepEqual(sent.accepted, ['c@far.example'])
        assert.ok(sent.delivered)
        await assertCharged(tenant, 1)
      })

      for (const where of ['refuse-later', 'defer-later']) {
        it(`when a later plugin answers them in rcpt_ok (${where})`, async () => {
          const tenant = await chargedTenant(where)
          const to = [`${where}@far.example`, 'c@far.example', `${where}-2@far.example`]
          const sent = await tenant.send({ from: FROM, to })
          assert.deepEqual(sent.accepted, ['c@far.example'])
          assert.ok(sent.delivered)
          await assertCharged(tenant, 1)
        })
      }

      it('when none of them is left', async () => {
        const tenant = await chargedTenant('none-left')
        const sent = await tenant.send({ from: FROM, to: 'refuse-later@far.example' })
        assert.equal(sent.rcpts[0]?.code, 550)
        await assertCharged(tenant, 0)
      })
    })

    describe('stay charged where the message may have been accepted', () => {
      const to = ['c@far.example', 'd@other.example']

      /** Sends a message with its final dot and leaves without waiting for the answer. */
      async function leaveAtTheDot(
        tenant: TestTenant,
        how: 'FIN' | 'RST',
        subject: string,
        sink: string,
      ): Promise<void> {
        const client = await tenant.connect()
        await client.mail(FROM)
        for (const recipient of to) assert.equal((await client.rcpt(recipient)).code, 250)
        assert.equal((await client.data()).code, 354)
        const headers = { 'X-Sink': sink }
        await client.messageAndLeave(how, formatMessage({ from: FROM, to, subject, headers }))
      }

      for (const how of ['FIN', 'RST'] as const) {
        it(`by Haraka's own queue: ${how} just after the final dot, 20 times`, async () => {
          const tenant = await chargedTenant(`own-queue-${how.toLowerCase()}`)
          const sessions = Array.from({ length: 20 }, () =>
            leaveAtTheDot(tenant, how, 'own queue', 'pass'),
          )
          await Promise.all(sessions)
          await sessionEnded(tenant)
          const all = () =>
            relay.haraka.queued().map((message) => ({
              ...message,
              note: message.notes['unregistered_domain'] as { tenant: string },
            }))
          const ours = () => all().filter(({ note }) => note.tenant === tenant.id)
          const queued = () => ours().flatMap(({ rcptTo }) => rcptTo).length
          // Haraka queues a complete message even if the client does not wait for the answer.
          await waitFor(async () => queued() > 0 && queued() === (await tenant.used()) - 2)
          if (how === 'FIN') assert.equal(queued(), 40)
          assert.deepEqual(ours()[0]?.note, {
            tenant: tenant.id,
            connector: `${tenant.id}/mx`,
            class: 'unregistered',
          })
          await assertCharged(tenant, queued())
        })

        it(`by a slow queue plugin: ${how} just after the final dot`, async () => {
          const tenant = await chargedTenant(`slow-queue-${how.toLowerCase()}`)
          const subject = `slow queue ${how}`
          await leaveAtTheDot(tenant, how, subject, 'hold')
          await relay.haraka.sink.waitForHeld(subject)
          await sessionEnded(tenant)
          assert.equal(await tenant.used(), 4)
          relay.haraka.sink.release(subject)
          const message = await relay.haraka.sink.waitFor((each) => each.subject === subject)
          assert.deepEqual(message.rcptTo, to)
          await assertCharged(tenant, 2)
        })
      }
    })
  })
}
