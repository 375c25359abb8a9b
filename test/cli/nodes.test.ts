import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { LATE, MISSING } from '../../src/nodes/node'
import { serverTime } from '../../src/store/server-clock'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { beat } from '../support/nodes'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf } from './cli'

interface NodesView {
  readonly processes: number
  readonly missing: number
  readonly older: number
  readonly missing_hosts: readonly { readonly host: string }[]
  readonly nodes: readonly { readonly id: string; readonly state: string }[]
}

describe('tenantctl nodes', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  function site(): { cli: Cli; store: Store } {
    const cli = new Cli(redis.url)
    return { cli, store: new Store(redis.client(), new Keys(cli.prefix)) }
  }

  it('says that no process has reported', async () => {
    const { out, status } = await site().cli.run('nodes')
    assert.deepEqual([out, status], ['no Haraka process has reported\n', 0])
  })

  it('has one line for all and one for each process, by host', async () => {
    const { cli, store } = site()
    await beat(store, { id: 'mx1/a', charge: { p50: 0.4, p99: 2.25 }, loop: { p99: 12 } })
    await beat(store, { id: 'mx1/b', worker: 2 })
    await beat(store, { id: 'mx2/c', worker: 0, role: 'single' })
    const lines = (await cli.run('nodes')).out.split('\n')
    assert.equal(lines[0], '3 processes on 2 hosts, all of version 1.1.0 with one configuration')
    assert.match(lines[2]!, /^HOST +PROCESS +PID +VERSION +UP +SEEN +CHARGE P99 +LOOP P99$/)
    assert.match(lines[3]!, /^mx1 +worker 1 +4711 +1\.1\.0 +\d+s +\ds ago +2\.3 ms +12 ms$/)
    assert.match(lines[4]!, /^ +worker 2 /)
    assert.match(lines[5]!, /^mx2 +single /)
  })

  it('marks what differs, what is missing, and what cannot say it', async () => {
    const { cli, store } = site()
    const { client, keys } = store
    await client.hset(keys.nodesConfigs, 'd1', '{"alerts":{"mail_to":"a@a.example"}}')
    await client.hset(keys.nodesConfigs, 'd2', '{}')
    const config = { digest: 'd2', ofHost: '', changed: 0 }
    await beat(store, { id: 'mx1/a' })
    await beat(store, { id: 'mx1/b', worker: 2 }, LATE)
    await beat(store, { id: 'mx2/c', config })
    await beat(store, { id: 'mx2/d', draining: true })
    await beat(store, { id: 'mx3/e' }, MISSING)
    const followers = Array.from({ length: 6 }, () => redis.client())
    await Promise.all(followers.map((each) => each.subscribe(keys.changes)))
    const { out } = await cli.run('nodes')
    const [summary, older, , , ...rows] = out.split('\n')
    assert.equal(
      summary,
      '5 processes on 3 hosts: 1 missing, 1 silent, 1 draining, 2 configurations',
    )
    assert.equal(older, '2 more processes follow changes: older, cannot confirm, know no pause')
    assert.match(rows[1]!, / silent$/)
    assert.match(rows[2]!, / \[alerts\] mail_to: \(default\), others a@a\.example$/)
    assert.match(rows[3]!, / draining, does not follow$/)
    assert.match(rows[4]!, / missing since 2\d{3}-[\dT:-]+Z$/)
    const view = (await cli.json('nodes')) as NodesView
    assert.deepEqual([view.processes, view.missing, view.older], [5, 1, 2])
    assert.deepEqual(
      view.missing_hosts.map(({ host }) => host),
      ['mx3'],
    )
    assert.equal(view.nodes.find(({ id }) => id === 'mx3/e')?.state, 'missing')
    const verbose = (await cli.run('nodes', '--verbose')).out
    assert.match(
      verbose,
      /\nmx1 worker 1\n.*\n.*\nconfiguration +d1, file of -\n +not the default +\[alerts\] mail_to=a@a\.example\n/,
    )
    for (const each of followers) each.disconnect()
  })

  it('forgets a host whose processes are gone, and audits that', async () => {
    const { cli, store } = site()
    await beat(store, { id: 'mx1/a' })
    await beat(store, { id: 'mx3/b' }, MISSING)
    await beat(store, { id: 'mx3/c' }, MISSING)
    assert.equal(
      errorOf(await cli.run('nodes', 'forget', 'mx1')),
      'tenantctl: mx1 is alive: 1 of its processes has reported in the last 15 s\n',
    )
    assert.equal(
      errorOf(await cli.run('nodes', 'forget', 'mx9')),
      'tenantctl: no process of a host "mx9" has reported; these have: mx1, mx3\n',
    )
    const { out } = await cli.run('nodes', 'forget', 'mx3')
    assert.equal(out, 'forgot mx3: 2 processes\n')
    const view = (await cli.json('nodes')) as NodesView
    assert.deepEqual(
      view.nodes.map(({ id }) => id),
      ['mx1/a'],
    )
    assert.match((await cli.run('audit')).out, / host mx3 +host forgotten +2 processes +/)
  })

  it('lets doctor warn of what is missing, differs, is behind, or has a wrong clock', async () => {
    const { cli, store } = site()
    const { client, keys } = store
    await cli.given('tenant add contoso')
    const found = async (): Promise<string[]> => {
      const { out } = await cli.run('doctor', '--json')
      return (JSON.parse(out) as { level: string; check: string; message: string }[])
        .filter(({ check }) => ['nodes', 'alike', 'clock'].includes(check))
        .map(({ level, check, message }) => `${level} ${check}: ${message}`)
    }
    assert.deepEqual(await found(), ['ok nodes: no Haraka process has reported'])
    await beat(store, { id: 'mx1/a' })
    await beat(store, { id: 'mx1/b', worker: 2 })
    assert.deepEqual(await found(), ['ok nodes: 2 processes report, and are alike'])

    await client.hset(keys.nodesConfigs, 'd1', '{"alerts":{"mail_to":"a@a.example"}}')
    await client.hset(keys.nodesConfigs, 'd2', '{}')
    const now = await serverTime(client)
    const config = { digest: 'd2', ofHost: '', changed: 0 }
    const versions = { plugin: '1.0.0', haraka: '3.3.4', node: '20.20.2' }
    const registry = { state: 'lost', epoch: 'e1' }
    await beat(store, { id: 'mx1/c', worker: 3 }, MISSING)
    await beat(store, { id: 'mx2/d', config, versions, applied: 1, redis: '10.0.0.1:6379' })
    await beat(store, { id: 'mx2/e', worker: 2, config, versions, clock: now + 60_000, registry })
    await beat(store, { id: 'mx3/f' }, MISSING)
    await beat(store, { id: 'mx4/g', heard: (now - 30_000) * 1000 })
    const lines = (await found()).map((line) =>
      line.replace(/since \S+Z/, 'since T').replace(/\d+[ms]\b/g, 'N'),
    )
    assert.deepEqual(lines, [
      'fail nodes: mx3 is missing since T, with 1 process',
      'warn nodes: mx1 worker 3 (pid 4711) says nothing for N',
      'fail nodes: mx2 worker 1 lacks changes of the last N',
      'fail nodes: mx2 worker 2 does not know the registry in Redis: lost',
      'warn clock: mx2: clock N ahead of that of Redis',
      'warn alike: mx2 differs: version: 1.0.0, others 1.1.0',
      'warn alike: mx2 differs: [alerts] mail_to: (default), others a@a.example',
    ])
  })
})
