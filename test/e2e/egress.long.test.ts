// The address and the name that unregistered mail leaves with, as a second server sees them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type HarakaVersion,
  type Mail,
  type TestHaraka,
} from '../support'
import { TestDns } from '../support/dns'
import { internet } from '../support/internet'
import { classifier } from '../support/local-plugins'
import { Mailbox } from '../support/mailbox'

const POOL = { ip: '127.0.0.9', helo: 'pool.example' }
const DEFAULT = { ip: '127.0.0.1', helo: 'relay.example' }

// Another plugin that names the server of some mail, and its own local address.
const router = (port: number): string => `
  exports.hook_get_mx = (next, hmail, domain) => {
    if (domain !== 'routed.example') return next()
    next(OK, { priority: 0, exchange: '127.0.0.1', port: ${port}, bind: '127.0.0.8' })
  }`

let mailbox: Mailbox
let dns: TestDns

before(async () => {
  mailbox = await Mailbox.start()
  dns = await TestDns.start({
    'far.example': { mx: ['mx.far.example'] },
    'mx.far.example': { a: ['127.0.0.1'], aaaa: ['::1'] },
    'bare.example': { a: ['127.0.0.1'] },
    'six.example': { mx: ['mx.six.example'] },
    'mx.six.example': { aaaa: ['::1'] },
    'null.example': { mx: ['.'] },
    'broken.example': { trouble: 'fail' },
  })
})

after(async () => {
  await dns.stop()
  await mailbox.stop()
})

const versions: HarakaVersion[] = ['3.3.4', '3.1.7']
for (const version of versions) {
  describe(`the egress pool of Haraka ${version}`, () => {
    let relay: TestRelay
    let count = 0

    const start = (egress: Record<string, string>): Promise<TestHaraka> =>
      startHaraka({
        version,
        redis: relay.redis,
        settings: { egress },
        preload: internet({ dns: dns.address, smtp: mailbox.port }),
        plugins: ['relay', classifier.name, 'router', 'unregistered-domain'],
        localPlugins: { [classifier.name]: classifier.source, router: router(mailbox.port) },
        config: { 'outbound.ini': 'local_mx_ok=true\ntemp_fail_intervals=1h\n' },
      })

    before(async () => {
      relay = new TestRelay(await startRedis(), [])
      relay.hosts.push(await start({ bind: POOL.ip, helo: POOL.helo }))
      await relay.registry.tenants.add('contoso', {}, 'test')
      await prepare()
    })
    after(() => relay.stop())

    /** Waits for the tenant without a sink to send probes to. */
    async function prepare(): Promise<void> {
      const domain = { domain: 'contoso.example', subdomains: false, shared: false }
      await relay.registry.domains.add('contoso', [domain], 'test')
      await relay.registry.connectors.add('contoso', 'mx', { ip: ['127.77.0.1/32'] }, 'test')
      await waitFor(async () => (await send({ to: `probe${++count}@probe.invalid` })).length > 0)
    }

    /** Sends a message; gives the notes of those in the queue for its first recipient. */
    async function send(
      mail: Partial<Mail>,
      { on = relay.haraka, subject = `m${++count}` } = {},
    ): Promise<unknown[]> {
      const { last } = await on.send({
        ...{ from: 'x@stranger.example', to: 'a@far.example', subject, ...mail },
        session: { localAddress: '127.77.0.1' },
      })
      assert.equal(last.code, 250, String(last))
      return on.queued().filter(({ notes }) => notes['unregistered_domain'])
    }

    async function arrived(mail: Partial<Mail>, options: { on?: TestHaraka } = {}) {
      const subject = `${version} ${++count}`
      await send(mail, { subject, ...options })
      const to = [mail.to ?? 'a@far.example'].flat()
      const found = await Promise.all(to.map((each) => mailbox.waitFor(each, subject)))
      return found.map(({ ip, helo }) => ({ ip, helo }))
    }

    it('gets unregistered mail, and not registered mail', async () => {
      assert.deepEqual(await arrived({ from: 'x@stranger.example' }), [POOL])
      assert.deepEqual(await arrived({ from: 'x@contoso.example' }), [DEFAULT])
    })

    it('gets bounces and foreign mail, but neither forwards nor unclassified mail', async () => {
      assert.deepEqual(await arrived({ from: '' }), [POOL])
      for (const [name, expected] of [
        ['foreign', POOL],
        ['forwarded', DEFAULT],
        ['unknown', DEFAULT],
      ] as const) {
        assert.deepEqual(await arrived({ headers: { 'X-Class': name } }), [expected], name)
      }
    })

    it('gets each part of a message to several domains, also without an MX record', async () => {
      assert.deepEqual(await arrived({ to: ['a@far.example', 'b@bare.example'] }), [POOL, POOL])
    })

    it('respects a route that another plugin sets', async () => {
      const found = await arrived({ to: 'a@routed.example' })
      assert.deepEqual(found, [{ ip: '127.0.0.8', helo: 'relay.example' }])
    })

    it('lets mail go from the default address where no server has an address of its family', async () => {
      assert.deepEqual(await arrived({ to: 'a@six.example' }), [DEFAULT])
      assert.match(relay.haraka.log, /no MX of six\.example has an IPv4 address/)
    })

    it('leaves bounces to Haraka, and keeps mail in the queue while DNS fails', async () => {
      for (const to of ['a@null.example', 'a@nowhere.example', 'a@broken.example']) {
        const from = relay.haraka.log.length
        await send({ to })
        const outcome = to.includes('broken') ? /Temp failing/ : /bouncing mail/
        await relay.haraka.waitForLog(outcome, { from })
      }
      const kept = relay.haraka.queued().map(({ rcptTo }) => rcptTo[0])
      assert.ok(kept.includes('a@broken.example'), kept.join())
    })

    it('sets a name without an address, and keeps the class over a restart', async () => {
      const subject = `${version} ${++count}`
      const named = await start({ helo: POOL.helo })
      relay.hosts.push(named)
      await waitFor(async () => (await send({ to: 'p@probe.invalid' }, { on: named })).length > 0)
      named.writeConfig('outbound.ini', 'local_mx_ok=true\ndisabled=true\n')
      await named.restart()
      await send({}, { on: named, subject })
      named.writeConfig('outbound.ini', 'local_mx_ok=true\n')
      await named.restart()
      const { ip, helo } = await mailbox.waitFor('a@far.example', subject)
      assert.deepEqual({ ip, helo }, { ip: DEFAULT.ip, helo: POOL.helo })
    })
  })
}
