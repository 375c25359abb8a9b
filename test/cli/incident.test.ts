import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { DAY, MINUTE } from '../../src/reporting/calendar'
import { startRedis, type TestRedis } from '../support/redis'
import { record } from '../support/reports'
import { Cli, errorOf, type Result } from './cli'

interface View {
  readonly case: { readonly case: string } | null
  readonly minutes: readonly { readonly refused: number; readonly accepted: number }[]
  readonly connectors: readonly {
    readonly value: string
    readonly share: number
    readonly stopped: string | null
  }[]
  readonly domains: readonly { readonly value: string }[]
  readonly queue: { readonly problem: string | null }
  readonly own_domains: readonly string[]
  readonly steps: readonly { readonly what: string; readonly command: string }[]
}

describe('tenantctl incident', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  /** A tenant of two connectors, of which one has been taken over. */
  async function takeover(): Promise<{ cli: Cli; store: Store }> {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso --contact it@contoso.com',
      'domain add contoso contoso.com',
      'connector add contoso web --ip 192.0.2.10',
      'connector add contoso exchange --ip 192.0.2.11',
      'block contoso --reason flood',
    )
    const store = new Store(redis.client(), new Keys(cli.prefix))
    const now = Date.now()
    const web = { connector: 'contoso/web', ip: '192.0.2.10', domain: 'lure.example' }
    const exchange = { connector: 'contoso/exchange', ip: '192.0.2.11' }
    await record(
      ...([store, 'contoso'] as const),
      { at: now - 2 * MINUTE, ...web, accepted: 4, refused: 10 },
      { at: now - 40 * MINUTE, ...web, accepted: 279, messages: { accepted: 45 } },
      { at: now - 3 * MINUTE, ...exchange, domain: 'contoso.de', accepted: 7 },
      { at: now - 3 * MINUTE, ...exchange, class: 'registered', accepted: 12 },
      ...Array.from({ length: 30 }, (_, day) => ({
        ...{ at: now - (day + 20) * DAY, ...exchange, domain: 'contoso.de', accepted: 3 },
      })),
    )
    return { cli, store }
  }

  it('shows whether it goes on, by whom, and what to do next, with commands to copy', async () => {
    const { cli } = await takeover()
    const { status, out } = await cli.run('incident', 'contoso')
    assert.equal(status, 0)
    assert.match(out, /^restricted +since .*: unregistered mail is refused$/m)
    assert.match(
      out,
      /^going on +yes: 21 unregistered recipients in the last 5 minutes, 11 accepted$/m,
    )
    assert.match(
      out,
      /^case +contoso:1 \(restricted\), 0 of 4; to tick: domains, connectors, servers, proof$/m,
    )
    assert.match(out, /^\d\d:\d\d to \d\d:\d\d( +-){4}$/m)
    assert.match(out, /^\d\d:\d\d +4 +10 +- +- +web$/m)
    assert.match(out, /^web +59\/293 +97\.7 % +0\/0$/m)
    assert.match(out, /^exchange +7\/7 +2\.3 % +12\/12$/m)
    assert.match(out, /^lure\.example +59\/293 +97\.7 %$/m)
    assert.match(out, /^192\.0\.2\.10 +59\/293/m)
    assert.match(out, /^queue: no Haraka of this version has said/m)
    assert.match(out, /connector added/)
    assert.match(
      out,
      /^1\. Stop the connector: 98 % of the unregistered recipients came through it/m,
    )
    assert.match(out, /^ +tenantctl connector block contoso web --reason 'case contoso:1'$/m)
    assert.match(
      out,
      /^ +tenantctl unblock contoso --reason 'case contoso:1' --limits '60\/1h, 300\/1d' --for 7d$/m,
    )
  })

  it('says the same to programs, and finds a case by its name', async () => {
    const { cli } = await takeover()
    const view = (await cli.json('incident', 'contoso:1')) as View
    assert.equal(view.case?.case, 'contoso:1')
    assert.equal(view.minutes.length, 15)
    assert.equal(
      view.minutes.reduce((sum, each) => sum + each.refused, 0),
      10,
    )
    assert.deepEqual(
      view.connectors.map(({ value, stopped }) => [value, stopped]),
      [
        ['contoso/web', null],
        ['contoso/exchange', null],
      ],
    )
    assert.deepEqual(view.own_domains, ['contoso.de'])
    assert.deepEqual(
      view.steps.map(({ what }) => what),
      ['block connector', 'register', 'tick', 'unblock'],
    )
    assert.match(view.queue.problem!, /no Haraka/)
  })

  const dialogue = (cli: Cli, ...answers: string[]): Promise<Result> =>
    cli.runIn(
      { asks: true, stdin: answers.map((each) => `${each}\n`).join('') },
      'incident',
      'contoso',
    )

  it('does each step that is agreed to, with one reason for all', async () => {
    const { cli } = await takeover()
    const answers = ['y', 'web form abused', 'y', 'cleaned, password changed', 'y', '']
    const { status, out, err } = await dialogue(cli, ...answers)
    assert.equal(status, 0)
    assert.match(
      err,
      /Block connector web\? \[y\/N\] Reason \(kept and shown; Enter for "case contoso:1"\)\? Register contoso\.de for contoso\?/,
    )
    for (const done of [
      'blocked connector contoso/web: all that it relays is refused',
      'added contoso.de to contoso',
      'ticked domains, connectors, servers, proof of case contoso:1',
      'unblocked contoso, its windows start afresh, on probation: 60/1h, 300/1d for 7d',
    ]) {
      assert.ok(out.includes(`${done}\n`), done)
    }
    const after = (await cli.json('incident', 'contoso')) as View
    assert.equal(after.connectors.find(({ value }) => value === 'contoso/web')!.stopped, 'blocked')
    assert.deepEqual(
      after.steps.map(({ what }) => what),
      ['close'],
    )
    const audit = await cli.run('audit', 'contoso')
    assert.match(audit.out, /web form abused/)
    const closed = await dialogue(cli, 'y')
    assert.match(closed.out, /closed case contoso:1\n$/)
  })

  it('changes nothing where each question is answered with no, or the terminal is closed', async () => {
    const { cli } = await takeover()
    for (const answers of [['n', 'no', '', ''], []]) {
      const { status } = await dialogue(cli, ...answers)
      assert.equal(status, 0)
    }
    const view = (await cli.json('incident', 'contoso')) as View
    assert.deepEqual(
      view.steps.map(({ what }) => what),
      ['block connector', 'register', 'tick', 'unblock'],
    )
  })

  it('goes on with the next step where one is refused', async () => {
    const { cli } = await takeover()
    await cli.given('tenant add fabrikam', 'domain add fabrikam contoso.de --shared')
    const { status, out } = await dialogue(cli, 'n', 'n', '', 'y', '\u001b[31m bad', '')
    assert.equal(status, 0)
    assert.match(out, /visible characters/)
    assert.equal(
      ((await cli.json('status', 'contoso')) as { restricted: boolean }).restricted,
      true,
    )
  })

  it('shows a tenant that was never restricted, and has nothing to do for it', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add quiet')
    const { status, out } = await cli.run('incident', 'quiet')
    assert.equal(status, 0)
    assert.match(out, /^going on +no: nothing unregistered in the last 5 minutes$/m)
    assert.match(out, /nothing is left to do\n$/)
  })

  it('says which tenant or case there is not', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    for (const [subject, problem] of [
      ['nobody', /there is no tenant "nobody"/],
      ['contoso:7', /there is no case "contoso:7"/],
    ] as const) {
      const result = await cli.run('incident', subject)
      assert.equal(result.status, 3)
      assert.match(errorOf(result), problem)
    }
    assert.equal((await cli.run('incident', 'Not A Tenant')).status, 2)
  })
})
