// The header with class and connector, as the next hop gets it.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import PostalMime from 'postal-mime'
import { startHaraka, startRedis, TestRelay, waitFor, type HarakaVersion } from '../support'
import { classifier } from '../support/local-plugins'
import { Mailbox } from '../support/mailbox'

const NAME = 'X-Relay-Class'

// here.example is a local domain, forwarded to the same server; see smtp_forward for real sites.
const here = `
  exports.hook_rcpt = (next, connection, [recipient]) =>
    recipient.host === 'here.example' ? next(OK) : next()
  exports.hook_queue = function (next, { transaction }) {
    this.haraka_require('outbound').send_trans_email(transaction, next)
  }`

let mailbox: Mailbox
let count = 0

before(async () => {
  mailbox = await Mailbox.start()
})
after(() => mailbox.stop())

const versions: HarakaVersion[] = ['3.3.4', '3.1.7']
for (const version of versions) {
  describe(`the tag of Haraka ${version}`, () => {
    let relay: TestRelay

    before(async () => {
      const redis = await startRedis()
      const haraka = await startHaraka({
        version,
        redis,
        settings: { tag: { header: NAME } },
        plugins: ['relay', classifier.name, 'route', 'here', 'unregistered-domain'],
        localPlugins: { [classifier.name]: classifier.source, route: mailbox.route, here },
        relayFrom: ['127.77.0.0/16'],
      })
      relay = new TestRelay(redis, [haraka])
      await relay.registry.tenants.add('contoso', {}, 'test')
      const domain = { domain: 'contoso.example', subdomains: false, shared: false }
      await relay.registry.domains.add('contoso', [domain], 'test')
      await relay.registry.connectors.add('contoso', 'mx-1', { ip: ['127.77.0.1/32'] }, 'test')
      await waitFor(async () => (await tags()).length > 0)
    })
    after(() => relay.stop())

    /** Sends a message with these header lines after its subject; returns the tags that arrive. */
    async function tags({
      from = 'x@stranger.example',
      to = 'a@far.example',
      lines = [] as string[],
      session = { localAddress: '127.77.0.1' },
    } = {}): Promise<string[]> {
      const subject = `${version} ${++count}`
      const client = await relay.haraka.connect(session)
      for (const reply of [
        await client.mail(from),
        await client.rcpt(to),
        await client.command('DATA'),
      ]) {
        assert.ok(reply.code < 400, String(reply))
      }
      const text = [`Subject: ${subject}`, ...lines, '', 'hello', '.'].join('\r\n')
      const reply = await client.command(text)
      assert.equal(reply.code, 250, String(reply))
      await client.quit()
      const { raw } = await mailbox.waitFor(to, subject)
      const [head = ''] = raw.split('\r\n\r\n')
      const { headers } = await PostalMime.parse(raw)
      const read = headers.filter(({ key }) => key === NAME.toLowerCase())
      const there = head
        .split(/\r\n(?![ \t])|\r(?!\n)|(?<!\r)\n|[\v\f\u0085]/)
        .filter((line) => /^[^!-~]*\.*x-relay[^!-~]*-class/i.test(line))
      assert.equal(read.length, there.length)
      return there
    }

    it('is there once, above all other fields, with class, tenant and connector', async () => {
      const parameters = 'tenant=contoso; connector=mx-1'
      assert.deepEqual(await tags(), [`${NAME}: unregistered; ${parameters}`])
      assert.deepEqual(await tags({ from: 'x@contoso.example' }), [
        `${NAME}: registered; ${parameters}`,
      ])
      assert.deepEqual(await tags({ from: '' }), [`${NAME}: null; ${parameters}`])
    })

    it('has the class that the message has proven', async () => {
      for (const name of ['forwarded', 'foreign', 'unknown']) {
        const lines = [`X-Class: ${name}`]
        assert.deepEqual(await tags({ lines }), [
          `${NAME}: ${name}; tenant=contoso; connector=mx-1`,
        ])
      }
    })

    const forgeries: Record<string, string[]> = {
      'in another case, more than once': ['x-relay-class: forged', 'X-RELAY-CLASS: forged'],
      'folded over lines': ['X-Relay-Class: registered;', '\ttenant=forged;', ' connector=forged'],
      'with blanks before the colon': ['X-Relay-Class \t: forged'],
      'after a bare CR': ['X-Other: a\rX-Relay-Class: forged'],
      'with the colon on another line': ['X-Relay-Class', ' \t', '\t: forged'],
      'with control characters in its name': ['X-Relay-Class\0: forged', 'X-Relay-Class\v: forged'],
      'with other blanks in its name': [
        'X-Relay-Class\u00a0: forged',
        'X-Relay\u200b-Class: forged',
      ],
      'after a character that ends a line for some programs only': [
        'X-Other: a\vX-Relay-Class: forged',
      ],
      'after more dots than SMTP adds': ['..X-Relay-Class: forged', '...X-Relay-Class: forged'],
      'without a colon': ['X-Relay-Class'],
      'with nothing in it': ['X-Relay-Class:', 'X-Relay-Class: '],
      'beyond the lines that Haraka parses': [
        ...Array.from({ length: 1100 }, (_each, index) => `X-Line: ${index}`),
        'X-Relay-Class: forged',
      ],
    }
    for (const [how, lines] of Object.entries(forgeries)) {
      it(`cannot be forged: ${how}`, async () => {
        const [tag, ...others] = await tags({ lines })
        assert.equal(tag, `${NAME}: unregistered; tenant=contoso; connector=mx-1`)
        assert.deepEqual(others, [])
      })

      it(`is removed from mail without a tenant, and from mail that is not relayed: ${how}`, async () => {
        assert.deepEqual(await tags({ lines, session: { localAddress: '127.77.0.2' } }), [])
        const session = { localAddress: '127.0.0.1' }
        assert.deepEqual(await tags({ lines, to: 'a@here.example', session }), [])
      })
    }
  })
}
