// The queue of a restricted tenant: what it holds, what leaves it meanwhile, and what a lift and a drop do.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  startHaraka,
  startRedis,
  tenantctl,
  TestRelay,
  waitFor,
  type HarakaVersion,
  type TestHaraka,
} from '../support'
import { readWholeAudit } from '../../src/audit/reader'
import { classifier, gate } from '../support/local-plugins'
import { Mailbox } from '../support/mailbox'

const TENANT = 'contoso'
/** Haraka checks held mail again after ten seconds. */
const LIFTED = { timeout: 60_000 }

interface Listed {
  readonly file: string
  readonly class: string | null
  readonly recipients: readonly string[]
  readonly held: boolean
}

// Mail to later.example cannot be delivered for now.
const later = `
  exports.hook_get_mx = (next, hmail, domain) =>
    domain === 'later.example' ? next(DENYSOFT, 'later') : next()`

/** The tests mostly wait for held mail, so both versions run at once. */
describe('the queue', { concurrency: true }, () => {
  queueOf('3.3.4')
  queueOf('3.1.7')
})

function queueOf(version: HarakaVersion): void {
  describe(`of Haraka ${version}`, { concurrency: false }, () => {
    let mailbox: Mailbox
    let relay: TestRelay
    let haraka: TestHaraka
    let count = 0

    before(async () => {
      mailbox = await Mailbox.start()
      const redis = await startRedis()
      haraka = await startHaraka({
        version,
        redis,
        plugins: ['relay', gate.name, classifier.name, 'later', 'route', 'unregistered-domain'],
        localPlugins: {
          ...{ [gate.name]: gate.source, [classifier.name]: classifier.source },
          ...{ later, route: mailbox.route },
        },
        config: { 'outbound.ini': 'temp_fail_intervals=25s*20\n' },
      })
      relay = new TestRelay(redis, [haraka])
      await relay.registry.tenants.add(TENANT, {}, 'test')
      const domain = { domain: 'contoso.example', subdomains: false, shared: false }
      await relay.registry.domains.add(TENANT, [domain], 'test')
      await relay.registry.connectors.add(TENANT, 'mx', { ip: ['127.77.0.1/32'] }, 'test')
      await waitFor(async () => {
        const subject = await send({ from: 'x@contoso.example' })
        const log = haraka.log
        await mailbox.waitFor('a@far.example', subject)
        return log.includes('ready')
      })
    })
    after(async () => {
      await relay.stop()
      await mailbox.stop()
    })

    const closed = (): string => path.join(haraka.dir, 'closed')
    const shut = (): void => writeFileSync(closed(), '')
    const open = (): void => rmSync(closed())

    async function send({
      from = 'x@stranger.example',
      to = 'a@far.example',
      noted = '',
    } = {}): Promise<string> {
      const subject = `${version} ${++count}`
      const headers: Record<string, string> = noted === '' ? {} : { 'X-Class': noted }
      const mail = { from, to, subject, headers, session: { localAddress: '127.77.0.1' } }
      const { last } = await haraka.send(mail)
      assert.equal(last.code, 250, String(last))
      return subject
    }

    const subjects = (): string[] =>
      mailbox.messages().map(({ headers }) => headers.get('subject') ?? '')
    const arrive = (...wanted: string[]): Promise<unknown> =>
      waitFor(() => wanted.every((each) => subjects().includes(each)), LIFTED)

    async function queue(...words: string[]): Promise<unknown> {
      const all = ['--config', haraka.configDir, 'queue', TENANT, ...words, '--json']
      const { status, stdout, stderr } = await tenantctl(all)
      assert.equal(status, 0, stderr)
      return JSON.parse(stdout)
    }
    const listed = (): Promise<Listed[]> => queue('list') as Promise<Listed[]>
    const files = (): string[] => readdirSync(path.join(haraka.dir, 'queue'))

    async function block(scope: 'unregistered' | 'all' = 'unregistered'): Promise<void> {
      const from = haraka.log.length
      await relay.restrictions.place(TENANT, { scope, by: 'test', reason: 'test' })
      await haraka.waitForLog(/blocked tenant=contoso/, { from })
    }

    async function lift(): Promise<void> {
      const from = haraka.log.length
      await relay.lift(TENANT)
      await haraka.waitForLog(/unblocked tenant=contoso/, { from })
    }

    /** Waits until the queue has been checked again: a message to another server goes through it. */
    async function held(times: number): Promise<void> {
      // Each check starts a program.
      const isHeld = async () => (await listed()).filter((each) => each.held).length === times
      await waitFor(isHeld, LIFTED)
      await haraka.waitForLog(/held tenant=contoso/)
    }

    it('holds unregistered and foreign mail, sends the rest, and sends everything after the lift', async () => {
      shut()
      // They were unregistered and foreign on arrival, and are registered now.
      const goes = [
        await send({ from: 'x@news.example' }),
        await send({ from: 'x@NEWS.example', noted: 'foreign' }),
      ]
      const news = { domain: 'news.example', subdomains: false, shared: false }
      await relay.registry.domains.add(TENANT, [news], 'test')
      assert.deepEqual(
        (await listed()).map((each) => each.class),
        ['registered', 'registered'],
      )
      assert.equal(((await queue('drop', '--yes')) as { result: string }).result, 'unchanged')
      const stays = [await send(), await send({ noted: 'foreign' })]
      stays.push(await send({ noted: 'forwarded' }))
      goes.push(await send({ from: 'x@contoso.example' }), await send({ from: '' }))
      await block()
      open()
      await arrive(...goes)
      await held(3)
      const classes = (await listed()).map((each) => each.class)
      assert.deepEqual(classes.toSorted(), ['foreign', 'forwarded', 'unregistered'])
      const before = files().toSorted()

      // After a restart Haraka knows only what it finds in the queue.
      await haraka.restart()
      await haraka.waitForLog(/held tenant=contoso/)
      assert.deepEqual(files().toSorted(), before, 'no file has another name')
      for (const each of stays) assert.ok(!subjects().includes(each), each)

      // Where the new process reads the tenant only after the lift, it has none to log.
      await relay.lift(TENANT)
      await arrive(...stays)
      await waitFor(() => files().length === 0)
      assert.doesNotMatch(haraka.log, /Temp failing|bouncing|internal error/)
    })

    it('drops what it holds, and files that Haraka has not read yet, and goes on', async () => {
      await send({ to: 'b@later.example' })
      await waitFor(() => files().some((file) => file.split('_')[2] === '1'))
      // Haraka has only the name of that file until it is due.
      await haraka.restart()
      shut()
      const registered = await send({ from: 'x@contoso.example' })
      await send()
      await send({ noted: 'foreign' })
      await block()
      open()
      await arrive(registered)
      await held(3)

      const asked = ['--config', haraka.configDir, 'queue', TENANT, 'drop']
      const refused = await tenantctl(asked)
      assert.equal(refused.status, 2)
      assert.match(refused.stderr, /give --yes/)
      const { host, hosts, ...dropped } = (await queue('drop', '--yes')) as Record<string, unknown>
      assert.equal(host, hostname())
      assert.equal((hosts as object[]).length, 1)
      const all = {
        result: 'dropped',
        tenant: TENANT,
        messages: 3,
        recipients: 3,
        missed: 0,
        silent: [],
      }
      assert.deepEqual(dropped, all)
      assert.deepEqual(await listed(), [])
      const entries = await readWholeAudit(relay.store, 0)
      const entry = entries.find(({ what }) => what === 'queue dropped')
      assert.match(entry?.to ?? '', /^3 messages for 3 recipients on /)

      await lift()
      // Each of them becomes due once more, and is sent.
      await haraka.waitForLog(/dropped tenant=contoso class=foreign/, LIFTED)
      await waitFor(() => files().length === 0, LIFTED)
      await arrive(await send())
      assert.equal(existsSync(closed()), false)
      assert.doesNotMatch(haraka.log, /internal error|bouncing|Error obtaining file size|CRIT/)
      assert.ok(!mailbox.messages().some(({ rcptTo }) => rcptTo.includes('b@later.example')))
    })

    it('holds registered mail of a tenant blocked with --all, and nothing under an override', async () => {
      shut()
      const registered = await send({ from: 'x@contoso.example' })
      await block('all')
      open()
      await held(1)
      haraka.writeSettings({ main: { override: 'monitor' } })
      await arrive(registered)
      await lift()
    })
  })
}
