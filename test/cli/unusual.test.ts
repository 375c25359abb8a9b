import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DAY } from '../../src/reporting/calendar'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { OpenRules } from '../../src/unusual/open-rules'
import { startRedis, type TestRedis } from '../support/redis'
import { days, LATER, NOW, play, Scenario, TODAY } from '../unusual/scenario'
import { takeovers } from '../unusual/scenarios'
import { Cli, errorOf } from './cli'

const BURST = takeovers.find(({ rule }) => rule === 'volume')!

interface View {
  readonly tenant: string
  readonly rules: readonly {
    readonly rule: string
    readonly words: string
    readonly facts: Record<string, unknown>
    readonly since: string | null
    readonly event: string | null
  }[]
  readonly waiting: readonly { readonly rule: string; readonly until: string | null }[]
  readonly hygiene: readonly { readonly connector: string; readonly what: string }[]
}

describe('tenantctl unusual', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  function site(): { cli: Cli; store: Store } {
    const cli = new Cli(redis.url)
    return { cli, store: new Store(redis.client(), new Keys(cli.prefix)) }
  }

  it('prints matching rules as JSON, with the time of their first alert', async () => {
    const { cli, store } = site()
    await cli.given('tenant add contoso')
    await play(store, 'contoso', BURST.build(), LATER)
    const before = (await cli.json('unusual', 'contoso')) as View
    const [volume] = before.rules
    assert.equal(before.tenant, 'contoso')
    assert.deepEqual(
      before.rules.map(({ rule, since, event }) => ({ rule, since, event })),
      [{ rule: 'volume', since: null, event: null }],
    )
    assert.match(volume!.words, /^143 recipients of unregistered mail in the hour from /)
    assert.equal(volume!.facts['before'], 12)
    assert.deepEqual(before.hygiene, [])

    await new OpenRules(store).update('contoso', [
      { rule: 'volume', words: volume!.words, facts: { recipients: 143 } },
    ])
    const told = ((await cli.json('unusual', 'contoso')) as View).rules[0]!
    assert.match(told.event!, /^evt_/)
    assert.ok(Math.abs(Date.parse(told.since!) - Date.now()) < 60_000)
  })

  it('shows them in words, with what to tidy up', async () => {
    const { cli, store } = site()
    await cli.given('tenant add contoso', 'connector add contoso old --ip 192.0.2.7')
    const scenario = BURST.build().connector('edge', { addedAt: NOW - 300 * DAY })
    await play(store, 'contoso', scenario, LATER)
    const { out } = await cli.run('unusual', 'contoso')
    assert.match(out, /^TENANT {3}RULE {4}SINCE {5}WHAT IT SEES\n/)
    assert.match(
      out,
      /\ncontoso {2}volume {2}just now {2}143 recipients .*; the busiest hour of the seven days before had 12\n/,
    )
    assert.match(out, /\ncontoso\/edge {2}never used since mail is recorded, from .*: remove it\n/)
    assert.doesNotMatch(out, /contoso\/old/, 'it is new')
  })

  it('names only tenants with rules or hygiene where none is given', async () => {
    const { cli, store } = site()
    await cli.given('tenant add contoso', 'tenant add fabrikam', 'tenant add tailspin')
    await play(store, 'contoso', BURST.build(), LATER)
    await play(store, 'fabrikam', new Scenario().routine({ days: days(0, 40) }), LATER)
    await play(
      store,
      'tailspin',
      new Scenario().connector('edge', { addedAt: TODAY - 300 * DAY }),
      LATER,
    )
    const all = (await cli.json('unusual')) as View[]
    assert.deepEqual(
      all.map(({ tenant, rules, hygiene }) => [
        tenant,
        ...rules.map(({ rule }) => rule),
        ...hygiene.map(({ what }) => what),
      ]),
      [
        ['contoso', 'volume'],
        ['tailspin', 'never_used'],
      ],
    )
    const { out } = await cli.run('unusual')
    assert.match(out, /\ncontoso {2}volume /)
    assert.doesNotMatch(out, /fabrikam/)
  })

  it('says which rules need more history, and until when', async () => {
    const { cli } = site()
    await cli.given('tenant add contoso')
    const { rules, waiting } = (await cli.json('unusual', 'contoso')) as View
    assert.deepEqual(rules, [])
    assert.deepEqual(
      waiting.map(({ rule, until }) => [rule, Math.round((Date.parse(until!) - Date.now()) / DAY)]),
      [
        ['quiet_days', 30],
        ['domains', 7],
        ['volume', 7],
        ['registered_volume', 7],
        ['null_volume', 7],
        ['new_connector', 7],
        ['new_source', 8],
        ['steady', 8],
        ['header_from', 7],
      ],
    )
    const { out } = await cli.run('unusual', 'contoso')
    assert.match(
      out,
      /^nothing is unusual in the last 24 hours\n\nRULE .*WAITS FOR ENOUGH HISTORY\n/,
    )
    assert.match(out, /\nvolume {13}until \d{4}-/)
  })

  it('prints nothing for an empty site', async () => {
    const { cli } = site()
    assert.deepEqual(await cli.json('unusual'), [])
    assert.equal((await cli.run('unusual')).out, 'nothing is unusual in the last 24 hours\n')
  })

  it('writes nothing', async () => {
    const { cli, store } = site()
    await cli.given('tenant add contoso')
    await play(store, 'contoso', BURST.build(), LATER)
    const admin = redis.client()
    const contents = async (): Promise<unknown> =>
      Promise.all((await admin.keys(`${cli.prefix}*`)).sort().map((key) => admin.dump(key)))
    const before = await contents()
    await cli.json('unusual')
    await cli.json('unusual', 'contoso')
    assert.deepEqual(await contents(), before)
  })

  it('ends with 3 for an unknown tenant, and with 2 for an invalid id', async () => {
    const { cli } = site()
    const unknown = await cli.run('unusual', 'nobody')
    assert.equal(unknown.status, 3)
    assert.match(errorOf(unknown), /nobody/)
    assert.equal((await cli.run('unusual', 'No Body')).status, 2)
  })
})
