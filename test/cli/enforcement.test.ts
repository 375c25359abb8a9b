import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { Ledger } from '../../src/allowance/ledger'
import { defaultsOf } from '../../src/allowance/defaults'
import { parseConfig } from '../../src/process/config'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, unconfirmed } from './cli'

const WHY = ['--reason', 'limits had been set too low']
const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`

describe('tenantctl enforcement', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  /** Tenants whose allowance of 2 is used up, one of them on probation, and one with room. */
  async function site(): Promise<{ cli: Cli; store: Store }> {
    const cli = new Cli(redis.url)
    const store = new Store(redis.client(), new Keys(cli.prefix))
    const ledger = new Ledger(store, 1000)
    const defaults = defaultsOf(parseConfig({}, '/nowhere').config)
    for (const [tenant, mode, recipients] of [
      ['contoso', 'enforce', 2],
      ['fabrikam', 'enforce', 1],
      ['northwind', 'monitor', 2],
      ['tailspin', 'enforce', 3],
    ] as const) {
      await cli.given(`tenant add ${tenant} --limits 2/1h --mode ${mode}`)
      for (let ordinal = 1; ordinal <= recipients; ordinal++) {
        await ledger.charge(
          {
            ...{ tenant, meter: 'unregistered', transaction: `T.${tenant}`, ordinal },
            ...{ domainsToken: '', domain: 'lure.example', connector: '', ip: '192.0.2.1' },
          },
          defaults,
        )
      }
      await store.client.zadd(store.keys.reported, Date.now(), tenant)
    }
    await cli.given('connector add tailspin mx --ip 192.0.2.8')
    return { cli, store }
  }

  it('pauses, says what is refused all the same, and resumes', async () => {
    const { cli } = await site()
    assert.match((await cli.run('enforcement', 'status')).out, /^enforcement is not paused\n$/)
    const { out } = await cli.run('enforcement', 'pause', ...WHY, '--by', 'ann')
    const said = new RegExp(
      `^paused enforcement until ${TIME}: nothing is refused but what a person has restricted or blocked; held mail stays held\nno Haraka process has reported\n$`,
    )
    assert.match(out, said)
    const line = new RegExp(`^enforcement is paused until ${TIME}, by ann: ${WHY[1]}\n`)
    for (const command of ['enforcement status', 'status', 'status contoso', 'incident contoso']) {
      assert.match((await cli.run(...command.split(' '))).out, line, command)
    }
    const shown = unconfirmed(
      await cli.json('enforcement', 'pause', ...WHY, '--for', '30m', '--everything'),
    ) as { since: string; until: string }
    const { since, until } = shown
    assert.deepEqual(shown, { result: 'paused', since, until, everything: true })
    const status = (await cli.json('enforcement', 'status')) as { paused: object }
    const paused = { since, until, by: 'ann', reason: WHY[1], everything: true }
    assert.deepEqual(status.paused, paused)

    const resumed = unconfirmed(await cli.json('enforcement', 'resume', '--reason', 'corrected'))
    const { at, ...rest } = resumed as { at: string }
    assert.deepEqual(rest, {
      ...{ result: 'resumed', since, at_limit: ['contoso'], looked_at: { tenants: 4, of: 4 } },
      fresh_windows: [],
    })
    assert.deepEqual(await cli.json('enforcement', 'status'), {
      ...{ paused: null, override: null },
      resumed: { at, by: 'ann', reason: 'corrected' },
    })
    const again = await cli.json('enforcement', 'resume', '--reason', 'corrected')
    assert.equal((again as { result: string }).result, 'unchanged')
    assert.match((await cli.run('audit', 'contoso')).out, /enforcement resumed +paused +corrected/)
    assert.match((await cli.run('audit')).out, /for 30m, everything, by ann: limits had been/)
  })

  it('starts the windows afresh where that is said or answered, and only then', async () => {
    const { cli } = await site()
    const used = async (tenant: string): Promise<number> => {
      const { windows } = (await cli.json('status', tenant)) as { windows: { used: number }[] }
      return windows[0]!.used
    }
    const resume = async (stdin: string, asks: boolean, ...more: string[]) => {
      await cli.run('enforcement', 'pause', ...WHY)
      return cli.runIn({ stdin, asks }, 'enforcement', 'resume', '--reason', 'corrected', ...more)
    }
    for (const [answer, asks, ...more] of [
      ['n\n', true],
      ['', false],
      ['', true, '--keep-usage'],
    ] as const) {
      const { out } = await resume(answer, asks, ...more)
      assert.match(out, /^1 tenant would be restricted by the next recipient: contoso\n/)
      assert.equal(await used('contoso'), 2)
    }
    const { out, err } = await resume('y\n', true)
    assert.match(err, /Start the windows of 1 tenant afresh\? \[y\/N\] /)
    assert.match(out, /\nstarted the windows of 1 tenant afresh\nresumed enforcement\n/)
    assert.deepEqual(
      await Promise.all(['contoso', 'fabrikam', 'northwind', 'tailspin'].map(used)),
      [0, 1, 2, 2],
    )
    assert.match((await cli.run('audit', 'contoso')).out, /windows started afresh/)
    const { out: none } = await resume('', false, '--fresh-windows')
    assert.match(none, /^no tenant would be restricted by its next recipient\n/)
  })

  it('is the source of the mode that status and explain show, but not of a tenant that a person has restricted', async () => {
    const { cli } = await site()
    const explained = async (): Promise<string> => {
      const asked = ['--from', 'x@lure.example', '--ip', '192.0.2.8']
      return (await cli.run('explain', ...asked)).out
    }
    const source = new RegExp(
      String.raw`mode monitor \(enforcement paused until ${TIME}\), restricted \(unregistered\) by automatic`,
    )
    assert.match(await explained(), /550 5\.7\.750/)
    await cli.run('enforcement', 'pause', ...WHY)
    assert.match(await explained(), source)
    assert.match(await explained(), /^verdict +charge$/m)
    assert.match(
      (await cli.run('status', 'tailspin')).out,
      /^mode +monitor \(enforcement paused until /m,
    )
    const { out: refused } = await cli.run('block', 'tailspin', '--reason', 'x')
    assert.match(
      refused,
      /^tailspin is restricted already, but its mail passes while .* then block it$/m,
    )
    await cli.given('unblock tailspin --reason x', 'block tailspin --reason x')
    assert.match(await explained(), /mode enforce \(its own\)/)
    assert.match(await explained(), /^verdict +refuse: 550 5\.7\.750/m)
    await cli.run('enforcement', 'pause', ...WHY, '--everything')
    assert.match(await explained(), /^verdict +charge$/m)
    const overridden = cli.elsewhere('[main]\noverride=off\n')
    assert.match((await overridden.run('status', 'contoso')).out, /mode +off \(\[main\] override\)/)
    const { out } = await overridden.run('enforcement', 'status')
    assert.match(out, /\non this host \[main\] override=off counts, paused or not\n$/)
  })

  it('is the first warning of the doctor, with what ends it', async () => {
    const { cli } = await site()
    const doctor = async (): Promise<{ check: string }[]> =>
      JSON.parse((await cli.runIn({}, 'doctor', '--json')).out) as { check: string }[]
    const check = async (): Promise<object> =>
      (await doctor()).find((each) => each.check === 'pause')!
    const message = 'enforcement is not paused'
    assert.deepEqual(await check(), {
      ...{ level: 'ok', check: 'pause', message, advice: null, subject: null, problem: null },
    })
    await cli.run('enforcement', 'pause', ...WHY)
    const paused = (await check()) as { level: string; advice: string }
    assert.equal(paused.level, 'warn')
    assert.match(paused.advice, /^tenantctl enforcement resume --reason …/)
    assert.equal((await doctor())[0]!.check, 'pause')
  })

  it('is in no backup, is not brought back by a restore, and goes with a purge', async () => {
    const { cli, store } = await site()
    await cli.run('enforcement', 'pause', ...WHY)
    const file = path.join(scratchDir('backup'), 'tenants.jsonl')
    const before = path.join(path.dirname(file), 'before.jsonl')
    await cli.given(`backup ${file}`)
    assert.doesNotMatch(readFileSync(file, 'utf8'), /paused|enforcement/)
    await cli.given(`purge --all --yes ${cli.prefix} --backup ${before}`)
    assert.equal(await store.client.exists(store.keys.pause, store.keys.nodesAudit), 0)
    await cli.given(`restore ${file}`)
    const { paused } = (await cli.json('enforcement', 'status')) as { paused: null }
    assert.equal(paused, null)
  })

  it('ends by itself, at most 7 days later, and takes no other time', async () => {
    const { cli } = await site()
    for (const [time, message] of [
      ['8d', /--for "8d" is longer than 7d: pause again before it ends/],
      ['soon', /--for "soon" is no time/],
    ] as const) {
      const result = await cli.run('enforcement', 'pause', ...WHY, '--for', time)
      assert.deepEqual([result.status, result.out], [2, ''])
      assert.match(errorOf(result), message)
    }
    await cli.run('enforcement', 'pause', ...WHY, '--for', '7d')
    const { paused } = (await cli.json('enforcement', 'status')) as {
      paused: Record<string, string>
    }
    assert.equal(Date.parse(paused['until']!) - Date.parse(paused['since']!), 7 * 86_400_000)
  })
})
