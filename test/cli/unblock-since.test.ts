import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { Restrictions } from '../../src/allowance/restriction'
import { Cases } from '../../src/cases/cases'
import { parseLimits } from '../../src/mail/limits'
import {
  restrictedSince,
  unblockListed,
  type UnblockedListed,
} from '../../src/operations/unblock-since'
import { TenantRegistry } from '../../src/registry/tenant-registry'
import { Keys } from '../../src/store/keys'
import { Store, type Client } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'
import { charge } from './charging'
import { Cli, type Result, type World, unconfirmed } from './cli'

const LONG_AGO = '2026-01-01'
const ACT = { by: 'ann', reason: 'limits too low', force: false }
const RULES = { checklist: 'advise', allowance: parseLimits('300/1h') } as const

describe('tenantctl unblock --since', () => {
  let redis: TestRedis
  let client: Client
  before(async () => {
    redis = await startRedis()
    client = redis.client()
  })
  after(() => redis.stop())

  const storeOf = (cli: Cli): Store => new Store(client, new Keys(cli.prefix))

  async function trip(cli: Cli, tenant: string): Promise<void> {
    await charge(redis, cli, tenant)
    assert.equal(await charge(redis, cli, tenant), 'TRIPPED')
    // As the process does whose charge has tripped.
    await new Restrictions(storeOf(cli)).index(tenant)
  }

  /** Some that have tripped, the first of them first, and one that a person has restricted. */
  async function site(...tripped: string[]): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given('tenant add byhand', 'block byhand --reason abuse')
    for (const tenant of tripped) {
      await new TenantRegistry(storeOf(cli)).add(tenant, { limits: '1/1h' }, 'ann')
      await trip(cli, tenant)
    }
    return cli
  }

  async function restricted(cli: Cli): Promise<string[]> {
    const all = (await cli.json('restricted')) as { tenant: string }[]
    return all.map(({ tenant }) => tenant).sort()
  }

  function unblock(cli: Cli, world: World, ...more: string[]): Promise<Result> {
    const reason = ['--reason', 'limits had been too low']
    return cli.runIn(world, 'unblock', '--since', LONG_AGO, ...reason, ...more)
  }

  it('lists who has tripped, asks, lifts that and closes the cases with the reason', async () => {
    const cli = await site('contoso', 'fabrikam')
    const kept = await unblock(cli, { asks: true, stdin: '\n' })
    assert.equal(kept.status, 0)
    assert.match(kept.err, /^Lift 2 restrictions and close the cases\? \[y\/N\] $/m)
    assert.match(kept.out, /^nothing was lifted$/m)
    assert.deepEqual(await restricted(cli), ['byhand', 'contoso', 'fabrikam'])

    const lifted = await unblock(cli, { asks: true, stdin: 'y\n' })
    assert.equal(lifted.status, 0)
    assert.match(lifted.out, /^TENANT +CASE +SINCE +TRIGGER\ncontoso +contoso:1 +\S+Z .*1 in 1h/)
    assert.match(lifted.out, /^left as they are, since a person placed them: byhand$/m)
    assert.match(lifted.out, /^unblocked 2 tenants, and closed their cases$/m)
    assert.deepEqual(await restricted(cli), ['byhand'])
    const { closed, lifted: lift } = (await new Cases(storeOf(cli)).get('contoso:1'))!
    assert.deepEqual([closed?.by, closed?.text], ['ann', 'limits had been too low'])
    assert.equal(lift?.text, 'limits had been too low')
    assert.equal(await charge(redis, cli, 'contoso'), 'CHARGED')

    const nothing = await unblock(cli, {}, '--yes')
    assert.match(nothing.out, /^no tenant has tripped since 2026-01-01T00:00:00Z$/m)
    assert.equal(nothing.status, 0)
  })

  it('needs --yes in a script', async () => {
    const cli = await site('contoso')
    const refused = await unblock(cli, {})
    assert.equal(refused.status, 4)
    assert.match(refused.err, /^tenantctl: 1 restriction would be lifted: add --yes to do it$/m)
    assert.match(refused.out, /^contoso +contoso:1 /m)
    assert.deepEqual(await restricted(cli), ['byhand', 'contoso'])
    const { out, status } = await unblock(cli, {}, '--yes', '--json')
    assert.equal(status, 0)
    assert.deepEqual(unconfirmed(JSON.parse(out)), {
      ...{ result: 'lifted', since: '2026-01-01T00:00:00.000Z' },
      lifted: [{ tenant: 'contoso', case: 'contoso:1' }],
      ...{ changed: [], kept: [] },
      by_hand: [{ tenant: 'byhand', case: 'byhand:1' }],
    })
  })

  it('leaves what tripped before', async () => {
    const cli = await site('contoso')
    const later = new Date(Date.now() + 3_600_000).toISOString()
    const { status, out } = await cli.run('unblock', '--since', later, '--reason', 'x', '--yes')
    assert.equal(status, 0)
    assert.match(out, /^no tenant has tripped since /)
    assert.deepEqual(await restricted(cli), ['byhand', 'contoso'])
  })

  it('takes no half of its options', async () => {
    const cli = await site()
    for (const [args, message] of [
      [['--reason', 'x'], /name a tenant, or give --since/],
      [['contoso', '--since', LONG_AGO, '--reason', 'x'], /give a tenant, or --since/],
      [['--since', 'yesterday', '--reason', 'x'], /--since "yesterday" is not a day or time/],
      [['--since', LONG_AGO, '--reason', 'x', '--keep-usage'], /are for one tenant/],
    ] as const) {
      const { status, err } = await cli.run('unblock', ...args)
      assert.equal(status, 2)
      assert.match(err, message)
    }
  })

  it('lifts with open steps only by --force where the checklist is required, and records it', async () => {
    const cli = await site('contoso', 'fabrikam')
    const config = scratchDir('config')
    const ini = '[outage]\nsnapshot=\n[case]\nchecklist=require\n'
    writeFileSync(path.join(config, 'unregistered-domain.ini'), ini)
    for (const step of ['domains', 'connectors', 'servers', 'proof']) {
      await cli.run('case', 'check', 'fabrikam:1', step, '--note', 'seen')
    }
    const some = await unblock(cli, {}, '--yes', '--config', config)
    assert.equal(some.status, 4)
    assert.match(some.out, /^contoso: case contoso:1 has open steps: domains, connectors/m)
    assert.match(some.out, /^unblocked 1 tenant, and closed their cases$/m)
    assert.match(some.err, /^tenantctl: 1 tenant of them: still restricted$/m)
    const all = await unblock(cli, {}, '--yes', '--force', '--config', config)
    assert.equal(all.status, 0)
    const { notes, closed } = (await new Cases(storeOf(cli)).get('contoso:1'))!
    assert.match(notes.at(-1)?.text ?? '', /^unblocked with --force; not ticked: domains/)
    assert.ok(closed)
  })

  it('leaves a restriction that was placed after the list', async () => {
    const cli = await site('contoso', 'fabrikam', 'tailspin')
    const store = storeOf(cli)
    const { automatic } = await restrictedSince(store, 0)
    assert.deepEqual(
      automatic.map(({ tenant }) => tenant),
      ['contoso', 'fabrikam', 'tailspin'],
    )
    // One is lifted, and trips again; one is lifted only.
    await cli.given('unblock contoso --reason x', 'unblock tailspin --reason x')
    await trip(cli, 'contoso')
    const { lifted, changed, kept } = await unblockListed(store, automatic, ACT, RULES)
    const names = (of: UnblockedListed['lifted']): string[] => of.map(({ tenant }) => tenant).sort()
    assert.deepEqual([names(lifted), names(changed)], [['fabrikam'], ['contoso', 'tailspin']])
    assert.deepEqual(kept, [])
    assert.deepEqual(await restricted(cli), ['byhand', 'contoso'])
    assert.equal((await new Cases(store).get('contoso:2'))?.lifted, undefined)
  })

  it('ends after its batch when it is stopped, and goes on when it is run again', async () => {
    const many = Array.from({ length: 34 }, (_, at) => `tenant-${at}`)
    const cli = await site(...many)
    const store = storeOf(cli)
    const stop = new AbortController()
    const { automatic } = await restrictedSince(store, 0)
    const work = { signal: stop.signal, progress: () => stop.abort() }
    await assert.rejects(unblockListed(store, automatic, ACT, RULES, work), {
      message: 'stopped: 32 lifted, 2 not; run the same command again to go on',
      exitStatus: 130,
    })
    assert.equal((await restricted(cli)).length, 3)
    assert.equal((await unblock(cli, {}, '--yes')).status, 0)
    assert.deepEqual(await restricted(cli), ['byhand'])
  })
})
