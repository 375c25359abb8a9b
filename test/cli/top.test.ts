import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { afterKey, BEGIN, type TopState } from '../../src/cli/views/top-state'
import { TopReader } from '../../src/operations/top'
import { MINUTE } from '../../src/reporting/calendar'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { configWith } from '../support/judgement'
import { startRedis, type TestRedis } from '../support/redis'
import { record } from '../support/reports'
import { charge } from './charging'
import { Cli, errorOf } from './cli'

/** What the tests read of the JSON. */
interface Printed {
  readonly at: string
  readonly restricted: number
  readonly active: number
  readonly not_shown: number
  readonly tenants: readonly {
    readonly tenant: string
    readonly state: string
    readonly unregistered_per_minute: number
    readonly refused_per_minute: number
    readonly top_domain: { readonly value: string; readonly share: number } | null
    readonly connector: string | null
    readonly windows: readonly { readonly used: number }[]
  }[]
}

describe('tenantctl top --once', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  function storeOf({ prefix }: Cli): Store {
    return new Store(redis.client(), new Keys(prefix))
  }

  async function printed(cli: Cli): Promise<Printed> {
    return (await cli.json('top', '--once')) as Printed
  }

  it('shows a tenant that is taken over first: rates, exact usage, domain and connector', async () => {
    const cli = new Cli(redis.url)
    await cli.given(
      ...['tenant add contoso --limits 1/1h', 'tenant add fabrikam', 'tenant add quiet'],
      'tenant add blocked',
    )
    await charge(redis, cli, 'contoso')
    await cli.given('block contoso --reason test', 'block blocked --reason test')
    const at = Date.now()
    const store = storeOf(cli)
    const web = { at, connector: 'contoso/web' }
    await record(store, 'contoso', { ...web, domain: 'bank.example', accepted: 1, refused: 58 })
    await record(store, 'contoso', { at, connector: 'contoso/mx', domain: 'a.example', refused: 1 })
    await record(store, 'fabrikam', { at, connector: 'fabrikam/mx', accepted: 2 })
    await record(store, 'quiet', { at: at - 6 * MINUTE, accepted: 900 })

    const { restricted, active, not_shown: notShown, tenants } = await printed(cli)
    assert.deepEqual({ restricted, active, notShown }, { restricted: 2, active: 2, notShown: 0 })
    const [first, second] = tenants
    assert.deepEqual(
      tenants.map(({ tenant, state }) => [tenant, state]),
      [
        ['contoso', 'restricted'],
        ['fabrikam', 'ok'],
      ],
    )
    assert.ok(first!.unregistered_per_minute > 0 && first!.refused_per_minute > 0)
    assert.equal(first!.top_domain?.value, 'bank.example')
    assert.equal(first!.connector, 'contoso/web')
    assert.equal(first!.windows[0]!.used, 1)
    assert.equal(second!.refused_per_minute, 0)

    const { out } = await cli.run('top', '--once')
    assert.match(out, /^2 restricted, 2 active in the last 5 minutes {2}\S+Z\n.* up to 5 s late/)
    assert.match(out, /^contoso +restricted +\d+ +\d+ +1h 100 % +bank\.example \d\d\.\d % +web$/m)
  })

  it('says first that enforcement is paused, and shows the modes in effect from then on', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    const store = storeOf(cli)
    await record(store, 'contoso', { at: Date.now(), accepted: 5 })
    const reader = new TopReader(store, configWith({}), 5000)
    const modes: (string | undefined)[] = []
    const look = async (): Promise<void> => {
      const { tenants } = await reader.list()
      modes.push(tenants[0]?.status.mode)
    }
    await look()
    await cli.given('enforcement pause --reason test')
    await look()
    const { out } = await cli.run('top', '--once')
    assert.match(out, /^enforcement is paused until \S+Z, by \S+: test\n0 restricted, 1 active/)
    assert.match(out, /^contoso +monitor /m)
    const { paused } = (await cli.json('top', '--once')) as { paused: { reason: string } }
    assert.equal(paused.reason, 'test')
    await cli.given('enforcement resume --reason test --keep-usage')
    await look()
    assert.deepEqual(modes, ['enforce', 'monitor', 'enforce'])
  })

  it('leaves out the last columns where the terminal is narrow, and never folds a row', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    const mail = { at: Date.now(), accepted: 5, domain: 'bank.example', connector: 'contoso/web' }
    await record(storeOf(cli), 'contoso', mail)
    const titlesAt = async (columns: number): Promise<string> => {
      const { out } = await cli.runIn(
        { terminal: true, columns, env: { NO_COLOR: '1' } },
        ...['top', '--once'],
      )
      const lines = out.trimEnd().split('\n').slice(2)
      assert.equal(lines.length, 2)
      for (const line of lines) assert.ok(line.length <= columns, `${columns}: ${line}`)
      return lines[0]!.split(/ {2,}/).at(-1)!
    }
    assert.deepEqual(await Promise.all([120, 80, 60, 40].map(titlesAt)), [
      ...['CONNECTOR', 'RESTRICTED IN', 'USED', 'REFUSED/MIN'],
    ])
  })

  it('cleans what a sender has written', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    const domain = '\u001b]0;owned\u0007\u202eevil.example'
    await record(storeOf(cli), 'contoso', { at: Date.now(), accepted: 5, domain })
    const { out } = await cli.run('top', '--once')
    assert.match(out, /\]0;ownedevil\.example/)
    for (const unsafe of ['\u001b', '\u0007', '\u202e']) assert.ok(!out.includes(unsafe))
  })

  it('asks Redis the same number of times, however many tenants there are', async () => {
    const cli = new Cli(redis.url)
    const store = storeOf(cli)
    await cli.given('tenant add contoso')
    const commands = async (): Promise<number> => {
      await redis.resetCommandStats()
      await cli.run('top', '--once')
      const stats = await redis.commandStats()
      return Object.values(stats).reduce((sum, calls) => sum + calls, 0)
    }
    await record(store, 'contoso', { at: Date.now(), accepted: 5 })
    await commands()
    const few = await commands()
    const old = Date.now() - 6 * MINUTE
    const many = Array.from({ length: 5000 }, (_, at) => `old-${at}`)
    await store.client.sadd(store.keys.tenants, ...many)
    await store.client.sadd(store.keys.restricted, ...many)
    await store.client.zadd(store.keys.reported, ...many.flatMap((id) => [old, id]))
    assert.equal(await commands(), few)
  })

  it('reads a bounded number of active tenants, and says how many it does not show', async () => {
    const cli = new Cli(redis.url)
    const store = storeOf(cli)
    await cli.given('tenant add contoso')
    const now = Date.now()
    const many = Array.from({ length: 3000 }, (_, at) => `t${at}`)
    await store.client.zadd(store.keys.reported, ...many.flatMap((id) => [now - MINUTE, id]))
    await record(store, 'contoso', { at: now, accepted: 5 })
    await redis.resetCommandStats()
    const { active, not_shown: notShown, tenants } = await printed(cli)
    assert.deepEqual([active, notShown, tenants.length], [3001, 3000, 1])
    const { hgetall = 0 } = await redis.commandStats()
    // At the turn of an hour, the minutes of two hours are read.
    assert.ok(hgetall <= 2 * 500 + 50, `${hgetall} hashes`)
  })

  it('needs a terminal, or --once; JSON needs --once; a minute is the longest interval', async () => {
    const cli = new Cli(redis.url)
    for (const [world, line, message] of [
      [{}, 'top', /needs a terminal: give --once/],
      [{ terminal: true, asks: true, env: { TERM: 'dumb' } }, 'top', /needs a terminal/],
      [{ terminal: true, asks: true }, 'top --json', /only with --once: give both/],
      [{}, 'top --once --interval 61s', /--interval "61s" is longer than 60s/],
      [{}, 'top --once --interval 100', /--interval "100" is no time/],
    ] as const) {
      const result = await cli.runIn(world, ...line.split(' '))
      assert.equal(result.status, 2, line)
      assert.match(errorOf(result), message)
    }
  })
})

describe('the keys of tenantctl top', () => {
  const IDS = ['contoso', 'fabrikam', 'tailspin']

  function after(...keys: string[]): TopState | 'end' {
    return keys.reduce<TopState | 'end'>((state, key) => {
      if (state === 'end') return state
      const [ctrl, name] = key.startsWith('^') ? [true, key.slice(1)] : [false, key]
      return afterKey(state, { name, ctrl, text: name.length === 1 ? name : '' }, IDS)
    }, BEGIN)
  }

  it('mark a tenant and stay within the list', () => {
    assert.deepEqual(after('down', 'down', 'down', 'up'), { ...BEGIN, selected: 'fabrikam' })
    assert.deepEqual(after('up'), { ...BEGIN, selected: 'contoso' })
  })

  it('open the sources of the marked tenant, and q or Esc leads back', () => {
    assert.deepEqual(after('down', 'return'), { ...BEGIN, selected: 'fabrikam', open: 'fabrikam' })
    assert.deepEqual(after('return', 'q'), BEGIN)
    assert.deepEqual(after('return', 'escape'), BEGIN)
  })

  it('type a filter, in which q and s are letters, and Esc drops it', () => {
    assert.deepEqual(after('f', 's', 'q', 'x', 'backspace', 'return'), { ...BEGIN, filter: 'sq' })
    assert.deepEqual(after('f', 's', 'escape'), BEGIN)
    assert.deepEqual(after('f', 's', 'return', 'escape'), BEGIN)
  })

  it('end with q and Ctrl-C, also in the middle of a filter', () => {
    assert.equal(after('q'), 'end')
    assert.equal(after('f', '^c'), 'end')
    assert.equal(after('return', '^c'), 'end')
  })

  it('go through the orders, and begin again', () => {
    assert.deepEqual(after('s'), { ...BEGIN, order: 'refused/min' })
    assert.deepEqual(after('s', 's', 's', 's', 's'), BEGIN)
  })
})
