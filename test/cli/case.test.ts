import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'
import { record } from '../support/reports'
import { charge } from './charging'
import { Cli, errorOf, unconfirmed, type Result } from './cli'

interface View {
  readonly case: string
  readonly state: string
  readonly by: string
  readonly open_steps: readonly string[]
  readonly notes: readonly { readonly text: string }[]
  readonly lifted: { readonly text: string } | null
  readonly known: { readonly connectors_to_review: readonly { readonly connector: string }[] }
}

describe('tenantctl case, and unblock', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function blocked(): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 2/1h', 'block contoso --reason phishing')
    return cli
  }

  const show = async (cli: Cli): Promise<View> =>
    (await cli.json('case', 'show', 'contoso:1')) as View

  it('says who is on a case, until that person gives it back or it is closed', async () => {
    const cli = await blocked()
    const first = await cli.run('case', 'take', 'contoso')
    assert.equal(first.out, 'ann is on case contoso:1\n')
    assert.equal(
      (await cli.run('case', 'take', 'contoso')).out,
      'ann is on case contoso:1 already\n',
    )
    const second = await cli.run('case', 'take', 'contoso:1', '--by', 'bob')
    assert.equal(second.status, 4)
    assert.match(second.err, /ann has been on case contoso:1 since .*: --force takes it over/)
    const taken = (await cli.json('case', 'take', 'contoso:1', '--force', '--by', 'bob')) as {
      taken: { at: string; by: string }
    }
    assert.deepEqual(taken, {
      ...{ result: 'taken', case: 'contoso:1', from: 'ann' },
      taken: { at: taken.taken.at, by: 'bob' },
    })
    assert.match((await cli.run('case', 'show', 'contoso')).out, /^taken +by bob since \S+Z$/m)
    assert.match((await cli.run('case', 'list')).out, /^contoso:1 .* restricted +bob +ann /m)
    assert.match((await cli.run('restricted')).out, /^contoso +contoso:1 +bob /m)
    assert.match((await cli.run('incident', 'contoso')).out, /^taken +by bob since/m)
    const [restricted] = (await cli.json('restricted')) as { taken: object }[]
    assert.deepEqual(restricted?.taken, taken.taken)

    assert.equal(
      (await cli.run('case', 'release', 'contoso')).out,
      'bob is no longer on case contoso:1\n',
    )
    assert.equal(
      (await cli.run('case', 'release', 'contoso')).out,
      'no person is on case contoso:1\n',
    )
    await cli.given('case take contoso', 'unblock contoso --reason clean', 'case close contoso')
    assert.equal((await cli.run('case', 'take', 'contoso')).status, 4)
    const [closed] = (await cli.json('case', 'list', '--all')) as { taken: object | null }[]
    assert.equal(closed?.taken, null)
    const { out } = await cli.run('audit', 'contoso')
    assert.match(out, /case taken +ann +bob/)
    assert.match(out, /case released +bob/)
  })

  it('gives a case to one of two operators who take it at once', async () => {
    const cli = await blocked()
    const both = await Promise.all(
      ['bob', 'eve'].map((by) => cli.run('case', 'take', 'contoso:1', '--by', by)),
    )
    assert.deepEqual(both.map(({ status }) => status).sort(), [0, 4])
  })

  it('leads a case from the block to its end', async () => {
    const cli = await blocked()
    await cli.given('connector add contoso web --ip 192.0.2.7')
    const opened = await show(cli)
    assert.deepEqual([opened.case, opened.state, opened.by], ['contoso:1', 'open', 'ann'])
    assert.deepEqual(
      opened.known.connectors_to_review.map(({ connector }) => connector),
      ['contoso/web'],
    )
    const check = (step: string): Promise<unknown> =>
      cli.json('case', 'check', 'contoso:1', step, '--note', 'seen to')
    assert.deepEqual(await check('domains'), {
      result: 'checked',
      case: 'contoso:1',
      step: 'domains',
      steps: ['domains'],
      open_steps: ['connectors', 'servers', 'proof'],
      known: opened.known,
    })
    await check('connectors')
    await cli.json('case', 'note', 'contoso:1', 'called their admin', '--by', 'bob')
    assert.deepEqual((await show(cli)).known.connectors_to_review, [])
    await check('servers')
    await check('proof')
    const early = await cli.run('case', 'close', 'contoso:1', '--note', 'done')
    assert.equal(early.status, 4)
    assert.match(errorOf(early), /unblock contoso/)
    assert.deepEqual(unconfirmed(await cli.json('unblock', 'contoso', '--reason', 'all clean')), {
      result: 'lifted',
      tenant: 'contoso',
      case: 'contoso:1',
      open_steps: [],
      probation: null,
    })
    const lifted = await show(cli)
    assert.equal(lifted.lifted?.text, 'all clean')
    assert.deepEqual(
      lifted.notes.map(({ text }) => text),
      ['called their admin'],
    )
    await cli.json('case', 'close', 'contoso:1', '--note', 'done')
    assert.deepEqual(await cli.json('case', 'list'), [])
    const [closed] = (await cli.json('case', 'list', 'contoso', '--all')) as View[]
    assert.deepEqual([closed?.case, closed?.state], ['contoso:1', 'closed'])
  })

  it('closes a case without a note', async () => {
    const cli = await blocked()
    await cli.given('unblock contoso --reason x', 'case close contoso:1')
    assert.equal((await show(cli)).state, 'closed')
    assert.match((await cli.run('case', 'show', 'contoso:1')).out, /^closed +\S+Z by ann$/m)
    assert.equal((await cli.run('case', 'close', 'contoso:1', '--note', ' ')).status, 2)
  })

  it('names recorded facts that contradict a tick', async () => {
    const cli = await blocked()
    const store = new Store(redis.client(), new Keys(cli.prefix))
    await record(store, 'contoso', { at: Date.now(), domain: 'lure.example', accepted: 3 })
    await cli.given('connector add contoso web --ip 192.0.2.7')
    const check = async (step: string): Promise<string> =>
      (await cli.run('case', 'check', 'contoso:1', step, '--note', 'seen to')).out
    const domains = await check('domains')
    assert.match(domains, /not registered:\n {2}lure\.example {2}3 recipients\n/)
    assert.doesNotMatch(domains, /contoso\/web/)
    assert.match(await check('servers'), /came from:\n {2}192\.0\.2\.1 {2}3 recipients\n/)
    assert.match(await check('connectors'), /^connectors to look at: none$/m)
    await cli.given('connector disable contoso web')
    assert.match(await check('connectors'), /contoso\/web {2}changed/)
  })

  it('prints the same in tables for people', async () => {
    const cli = await blocked()
    await cli.json('case', 'check', 'contoso:1', 'servers', '--note', 'queue cleaned')
    const { out } = await cli.run('case', 'show', 'contoso:1')
    assert.match(out, /^state +restricted$/m)
    assert.match(out, /^servers +yes +\S+Z by ann: queue cleaned$/m)
    assert.match(out, /^proof +no +the tenant has shown/m)
    assert.match(out, /^connectors to look at: none$/m)
    const list = (await cli.run('case', 'list')).out
    assert.match(list, /^contoso:1 +\S+Z +restricted +ann +domains, connectors, proof +phishing$/m)
    assert.match((await cli.run('status', 'contoso')).out, /^case +contoso:1: tenantctl incident/m)
    assert.match((await cli.run('restricted')).out, /^contoso +contoso:1 /m)
  })

  it('says how many domains are left out, and which command lists them', async () => {
    const cli = await blocked()
    const store = new Store(redis.client(), new Keys(cli.prefix))
    const domains = Array.from({ length: 12 }, (_, at) => `lure${at}.example`)
    const at = Date.now()
    await record(store, 'contoso', ...domains.map((domain) => ({ at, domain, accepted: 1 })))
    const { out } = await cli.run('case', 'show', 'contoso:1')
    assert.equal(out.match(/^ {2}lure\d+\.example {2}1 recipient$/gm)?.length, 10)
    assert.match(
      out,
      /^ {2}and 2 more, in --json\n {2}which may be its own: tenantctl suggest contoso$/m,
    )
  })

  it('says only once that a tenant tripped within probation', async () => {
    const cli = await blocked()
    await cli.json('unblock', 'contoso', '--reason', 'x', '--limits', '1/1h', '--for', '7d')
    for (let each = 0; each < 2; each++) await charge(redis, cli, 'contoso')
    await cli.json('case', 'note', 'contoso:2', 'seen')
    const { out } = await cli.run('case', 'show', 'contoso:2')
    assert.match(out, /^reason +allowance of 1\/1h exceeded within probation$/m)
    const [, tripped] = (await cli.run('audit', 'contoso')).out.split('restriction tripped')
    assert.equal(tripped?.match(/within probation/g)?.length, 1)
  })

  it('opens the case of a trip that no process has published yet', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 1/1h')
    await charge(redis, cli, 'contoso')
    await charge(redis, cli, 'contoso')
    await cli.json('case', 'note', 'contoso:1', 'seen')
    assert.equal((await show(cli)).by, 'automatic')
  })

  it('opens the case of a trip with its original scope, though a person widened the restriction first', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 1/1h')
    await charge(redis, cli, 'contoso')
    await charge(redis, cli, 'contoso')
    await cli.given('block contoso --all --reason phishing')
    const { by, reason } = (await show(cli)) as View & { reason: string }
    assert.deepEqual([by, reason], ['automatic', 'allowance of 1/1h exceeded'])
    const whats = ((await cli.json('audit', 'contoso')) as { what: string }[]).map(
      ({ what }) => what,
    )
    assert.deepEqual(whats.slice(1), ['restriction tripped', 'restriction widened'])
  })

  it('unblocks into probation, and says so', async () => {
    const cli = await blocked()
    const unblock = ['unblock', 'contoso', '--reason', 'clean', '--limits', '1 / 1h', '--for', '7d']
    const { probation, open_steps } = (await cli.json(...unblock)) as {
      probation: { limits: string; until: string }
      open_steps: string[]
    }
    assert.equal(probation.limits, '1/1h')
    const left = Date.parse(probation.until) - Date.now()
    assert.ok(Math.abs(left - 7 * 86_400_000) < 60_000)
    assert.equal(open_steps.length, 4)
    const view = { ...probation, case: 'contoso:1' }
    for (const command of ['status', 'tenant show']) {
      const shown = (await cli.json(...command.split(' '), 'contoso')) as { probation: object }
      assert.deepEqual(shown.probation, view)
      const { out } = await cli.run(...command.split(' '), 'contoso')
      assert.match(out, /^probation +1\/1h until \S+Z$/m)
    }
    const { out } = await cli.run('unblock', 'contoso', '--reason', 'trusted again')
    assert.match(out, /its probation has ended/)
    assert.equal(((await cli.json('status', 'contoso')) as { probation: unknown }).probation, null)
  })

  it('keeps a probation where the command is repeated, or the case is lifted already', async () => {
    const cli = await blocked()
    const unblock = ['unblock', 'contoso', '--reason', 'clean', '--limits', '1/1h', '--for', '7d']
    const first = (await cli.json(...unblock)) as { probation: object }
    const again = (await cli.json(...unblock)) as { result: string; probation: object }
    assert.equal(again.result, 'unchanged')
    assert.deepEqual(again.probation, first.probation)
    assert.match((await cli.run(...unblock)).out, /^on probation as before: 1\/1h until \S+Z$/m)
  })

  it('refuses a probation that allows as much as before', async () => {
    const cli = await blocked()
    const unblock = (limits: string): Promise<Result> =>
      cli.run('unblock', 'contoso', '--reason', 'x', '--for', '7d', '--limits', limits)
    for (const limits of ['2/1h', '500/1h', '2/10m', '3/1m, 2/1h']) {
      const refused = await unblock(limits)
      assert.equal(refused.status, 2, limits)
      assert.match(errorOf(refused), /is not smaller than the allowance of contoso \(2\/1h\)/)
    }
    assert.equal((await unblock('3/1h, 5/1d')).status, 0)
  })

  it('says only once that it tripped within probation, and so does the audit trail', async () => {
    const cli = await blocked()
    await cli.given('unblock contoso --reason clean --limits 1/1h --for 7d')
    await charge(redis, cli, 'contoso')
    await charge(redis, cli, 'contoso')
    // Opens the case if no plugin has opened it yet.
    await cli.json('case', 'note', 'contoso:2', 'seen')
    const reason = 'allowance of 1/1h exceeded within probation'
    const { out } = await cli.run('case', 'show', 'contoso:2')
    assert.match(out, new RegExp(`^reason +${reason}$`, 'm'))
    const trail = (await cli.json('audit', 'contoso')) as { what: string; to: string }[]
    const tripped = trail.find(({ what }) => what === 'restriction tripped')
    assert.match(tripped?.to ?? '', new RegExp(`^unregistered: ${reason}; 1 in 1h reached, [^;]*$`))
  })

  it('accepts only valid --limits and --for, and only together', async () => {
    const cli = await blocked()
    for (const more of [
      ['--limits', '1/1h'],
      ['--for', '7d'],
      ['--limits', 'many', '--for', '7d'],
      ['--limits', 'unlimited', '--for', '7d'],
      ['--limits', '1/1h', '--for', '7'],
      ['--limits', '1/1h', '--for', '0d'],
      ['--limits', '1/1h', '--for', '400d'],
    ]) {
      const result = await cli.run('unblock', 'contoso', '--reason', 'x', ...more)
      assert.equal(result.status, 2, more.join(' '))
    }
    assert.equal(((await cli.json('restricted')) as unknown[]).length, 1)
  })

  describe('with checklist=require', () => {
    let cwd: string
    before(() => {
      cwd = scratchDir('case')
      mkdirSync(path.join(cwd, 'config'))
      writeFileSync(
        path.join(cwd, 'config', 'unregistered-domain.ini'),
        '[case]\nchecklist=require\n[outage]\nsnapshot=\n',
      )
    })
    const strictly = (cli: Cli, ...args: string[]): Promise<Result> =>
      cli.runIn({ cwd }, '--config', path.join(cwd, 'config'), 'unblock', 'contoso', ...args)

    it('refuses to lift while steps are not ticked, names them, and changes nothing', async () => {
      const cli = await blocked()
      await cli.json('case', 'check', 'contoso:1', 'servers', '--note', 'x')
      const refused = await strictly(cli, '--reason', 'x')
      assert.equal(refused.status, 4)
      assert.match(errorOf(refused), /domains, connectors, proof/)
      assert.equal(((await cli.json('restricted')) as unknown[]).length, 1)
      for (const step of ['domains', 'connectors', 'proof']) {
        await cli.json('case', 'check', 'contoso:1', step, '--note', 'x')
      }
      assert.equal((await strictly(cli, '--reason', 'x')).status, 0)
      assert.deepEqual(await cli.json('restricted'), [])
    })

    it('lifts with --force, and records that', async () => {
      const cli = await blocked()
      assert.equal((await strictly(cli, '--reason', 'x', '--force')).status, 0)
      const [note] = (await show(cli)).notes
      assert.match(note!.text, /^unblocked with --force; not ticked: domains, connectors/)
    })

    it('lifts with --force though the case has its most notes', async () => {
      const cli = await blocked()
      const key = `${cli.prefix}{contoso}:case:1`
      await redis.client().hset(key, 'notes', '100')
      assert.equal((await strictly(cli, '--reason', 'x', '--force')).status, 0)
      assert.match((await show(cli)).notes.at(-1)!.text, /^unblocked with --force/)
    })

    it('lifts a restriction that is older than cases', async () => {
      const cli = await blocked()
      const key = `${cli.prefix}{contoso}:restriction`
      await redis.client().hdel(key, 'case', 'event')
      assert.equal((await strictly(cli, '--reason', 'x')).status, 0)
    })
  })

  it('of a tenant alone is its latest, which is there as soon as the restriction', async () => {
    const cli = await blocked()
    await cli.given('unblock contoso --reason x', 'block contoso --reason again')
    // As after a trip, before a process has opened its case.
    const client = redis.client()
    const keys = new Keys(cli.prefix)
    const record = await client.hgetall(keys.caseOf('contoso', 2))
    await client.del(keys.caseOf('contoso', 2))
    await client.zrem(keys.caseIndex, 'contoso:2')
    const shown = (await cli.json('case', 'show', 'contoso')) as View & { reason: string }
    assert.deepEqual([shown.case, shown.reason, shown.state], ['contoso:2', 'again', 'open'])
    assert.equal(await client.exists(keys.caseOf('contoso', 2)), 0)
    await cli.json('case', 'note', 'contoso', 'called their admin')
    const { 'note:1': note, ...opened } = await client.hgetall(keys.caseOf('contoso', 2))
    assert.deepEqual(opened, { ...record, notes: '1' })
    assert.match(note ?? '', /called their admin$/)
    assert.equal((await show(cli)).case, 'contoso:1')
  })

  it('has several steps ticked with one note, all or none', async () => {
    const cli = await blocked()
    const ticked = async (): Promise<unknown> => (await show(cli)).open_steps
    const check = (...steps: string[]): Promise<unknown> =>
      cli.json('case', 'check', 'contoso', ...steps, '--note', 'seen to')
    const {
      steps,
      step,
      open_steps: open,
    } = (await check('proof', 'domains', 'proof')) as View & {
      steps: string[]
      step: string
    }
    assert.deepEqual([steps, step], [['proof', 'domains'], 'proof'])
    assert.deepEqual(open, ['connectors', 'servers'])
    const { out } = await cli.run(
      ...['case', 'check', 'contoso', 'connectors', 'domains', '--note', 'seen to'],
    )
    assert.match(out, /^ticked connectors, domains of case contoso:1; left: servers$/m)
    assert.match(out, /^connectors to look at: none$/m)
    await cli.given('unblock contoso --reason x', 'case close contoso')
    assert.equal(
      (await cli.run('case', 'check', 'contoso', 'servers', 'proof', '--note', 'y')).status,
      4,
    )
    assert.deepEqual(await ticked(), ['servers'])
    const entries = (await cli.json('audit', 'contoso')) as { what: string }[]
    const checks = entries.map(({ what }) => what).filter((what) => what.startsWith('case checked'))
    assert.deepEqual(checks.sort(), [
      ...['connectors', 'domains', 'proof'].map((each) => `case checked: ${each}`),
    ])
  })

  it('ends with 3 for an unknown case, and with 2 for an invalid name', async () => {
    const cli = await blocked()
    const status = async (...args: string[]): Promise<number> =>
      (await cli.run('case', ...args)).status
    assert.equal(await status('show', 'contoso:2'), 3)
    assert.equal(await status('note', 'contoso:2', 'x'), 3)
    assert.equal(await status('show', 'contoso:'), 2)
    assert.equal(await status('show', 'nobody'), 3)
    await cli.given('tenant add fabrikam')
    assert.equal(await status('show', 'fabrikam'), 3)
    assert.equal(await status('check', 'contoso:1', 'proof', 'nothing', '--note', 'x'), 2)
    assert.equal(await status('check', 'contoso:1', 'nothing', '--note', 'x'), 2)
    assert.equal(await status('check', 'contoso:1', 'proof', '--note', 'a\u001b[1mb'), 2)
    assert.equal(await status('note', 'contoso:1', ' '), 2)
  })

  it('removes a tenant, and keeps or erases its cases', async () => {
    const cli = await blocked()
    await cli.given('unblock contoso --reason x')
    const kept = await cli.run('tenant', 'remove', 'contoso')
    assert.match(kept.out, /kept until they expire.*--purge/)
    const [closed] = (await cli.json('case', 'list', 'contoso', '--all')) as View[]
    assert.equal(closed?.state, 'closed')
    const purged = { result: 'purged', tenant: 'contoso', purged: true }
    assert.deepEqual(await cli.json('tenant', 'remove', 'contoso', '--purge'), purged)
    assert.deepEqual(await cli.json('case', 'list', '--all'), [])
    const entries = (await cli.json('audit')) as { what: string }[]
    assert.deepEqual(
      entries.map(({ what }) => what),
      ['tenant purged'],
    )
    const again = await cli.run('tenant', 'remove', 'contoso', '--purge')
    assert.equal(again.status, 3)
  })
})
