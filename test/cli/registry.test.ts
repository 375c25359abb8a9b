import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { readLost, reportLost, type Finding } from '../../src/registry/lost-changes'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type Result, type World } from './cli'

/** 10:00 and 10:20 of a day, in µs. */
const FOUND = Date.parse('2026-11-30T10:00:00Z') * 1000
const KNOWN = Date.parse('2026-11-30T10:20:00Z') * 1000
const MARKS = { known: KNOWN, found: FOUND }

const PUT_BACK: Finding = {
  ...{ kind: 'back', subject: 'contoso', what: 'restriction', case: 'contoso:3', ...MARKS },
  time: KNOWN / 1000,
}
const MISSING: Finding = { kind: 'missing', subject: '@connectors', ...MARKS }

function lost(
  subject: string,
  ...changes: readonly (readonly [string, string | null, string | null])[]
): Finding {
  return {
    ...{ kind: 'lost', subject, ...MARKS, more: 0 },
    changes: changes.map(([what, was, is]) => ({ what, was, is })),
  }
}

const OF_CONTOSO = lost(
  'contoso',
  ['limits', '500/1h', '300/1h'],
  ['mode', 'monitor', null],
  ['domain new.example', null, 's'],
  ['domain old.example', '-', null],
)

/** `tenantctl` with its own config directory, on a Redis that has gone back in time. */
class Site extends Cli {
  readonly cwd = scratchDir('registry')
  readonly store: Store

  constructor(server: TestRedis) {
    super(server.url)
    this.store = new Store(server.client(), new Keys(this.prefix))
    mkdirSync(path.join(this.cwd, 'config'))
    writeFileSync(path.join(this.cwd, 'config/unregistered-domain.ini'), '[main]\nmode=enforce\n')
  }

  override runIn(world: World, ...args: string[]): Promise<Result> {
    return super.runIn(
      { cwd: this.cwd, ...world },
      '--config',
      path.join(this.cwd, 'config'),
      ...args,
    )
  }

  async lost(...findings: readonly Finding[]): Promise<this> {
    await this.given(
      'tenant add contoso --limits 500/1h --mode monitor',
      'domain add contoso old.example',
      'tenant add fabrikam',
    )
    await reportLost(this.store, findings)
    return this
  }

  resolve(command: string, ...args: string[]): Promise<Result> {
    return this.run('registry', command, '--reason', 'old primary', ...args)
  }

  backups(): string[] {
    return readdirSync(this.cwd).filter((name) => name.endsWith('.jsonl'))
  }

  async doctorLine(): Promise<{ level: string; message: string; advice: string | null }> {
    const { out } = await this.run('doctor', '--json')
    const lines = JSON.parse(out) as {
      check: string
      level: string
      message: string
      advice: null
    }[]
    return lines.find(({ check }) => check === 'lost')!
  }
}

describe('tenantctl registry', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  const site = (...findings: readonly Finding[]): Promise<Site> => new Site(redis).lost(...findings)

  it('status says that Redis has not gone back', async () => {
    const one = await site()
    assert.deepEqual(await one.run('registry', 'status'), {
      status: 0,
      out: 'Redis has not gone back in time, or that is resolved\n',
      err: '',
    })
    assert.equal(await one.json('registry', 'status'), null)
    assert.equal((await one.doctorLine()).message, 'Redis has not gone back in time')
    for (const command of ['restore-known', 'accept-redis']) {
      assert.match((await one.resolve(command)).out, /^Redis has not gone back in time/)
    }
  })

  it('status names what was put back, which nobody has to resolve', async () => {
    const one = await site(PUT_BACK)
    const { status, out } = await one.run('registry', 'status')
    assert.equal(status, 0)
    assert.match(
      out,
      /to its state of 2026-11-30T10:00:00Z: it had changes up to 2026-11-30T10:20:00Z; noticed at 2/,
    )
    assert.match(
      out,
      /^ {2}the restriction of contoso \(case contoso:3\) of 2026-11-30T10:20:00Z$/m,
    )
    assert.match(out, /^nothing is left to resolve$/m)
    const { level, message } = await one.doctorLine()
    assert.equal(level, 'ok')
    assert.match(message, /put back: the restriction of contoso \(case contoso:3\)/)
  })

  it('status shows what is lost and missing, and ends with status 1', async () => {
    const one = await site(OF_CONTOSO, lost('new', ['tenant', null, '1764000000000']), MISSING)
    const { status, out } = await one.run('registry', 'status')
    assert.equal(status, 1)
    assert.match(
      out,
      /^usage counted in between is lost: at most one more allowance for each tenant$/m,
    )
    assert.match(out, /^SUBJECT +WHAT +BEFORE +IN REDIS$/m)
    for (const row of [
      'contoso +limits +300/1h +500/1h',
      'contoso +mode +default +monitor',
      'contoso +domain new.example +accepted, with subdomains +not accepted',
      'contoso +domain old.example +not accepted +accepted',
      'new +tenant +registered 2025-11-24T16:00:00Z +none',
    ]) {
      assert.match(out, new RegExp(`^${row}$`, 'm'))
    }
    assert.match(out, /^ {2}the connectors: last changed at 2026-11-30T10:20:00Z$/m)
    assert.match(out, /registry restore-known .*\n.*make the missing changes again\n.*accept-redis/)
    const { level, message, advice } = await one.doctorLine()
    assert.equal(level, 'fail')
    assert.match(message, /lost, and known to Haraka: contoso, new; missing: the connectors$/)
    assert.equal(advice, 'tenantctl registry status shows it, and what to do')
  })

  it('status tells the same as JSON', async () => {
    const one = await site(lost('contoso', ['limits', '500/1h', '300/1h']), MISSING, PUT_BACK)
    const { status, out } = await one.run('registry', 'status', '--json')
    assert.equal(status, 1)
    const time = '2026-11-30T10:20:00.000Z'
    assert.deepEqual(
      { ...(JSON.parse(out) as object), noticed: '' },
      {
        ...{ from: '2026-11-30T10:00:00.000Z', to: time, noticed: '', owners: false, more: 0 },
        put_back: [{ subject: 'contoso', what: 'restriction', case: 'contoso:3', time }],
        lost: [
          {
            subject: 'contoso',
            what: 'limits',
            before: '300/1h',
            in_redis: '500/1h',
            state: 'lost',
          },
        ],
        missing: [{ subject: '@connectors', time }],
      },
    )
  })

  it('restore-known writes what is known, after a backup', async () => {
    const one = await site(OF_CONTOSO, PUT_BACK)
    const { status, out, err } = await one.resolve('restore-known', '--yes', one.prefix)
    assert.equal(status, 0, err)
    assert.match(out, /contoso +limits +300\/1h +500\/1h/)
    assert.match(out, /^written: 4 changes\nnothing is left to resolve\n$/m)
    const [file, ...others] = one.backups()
    assert.deepEqual(others, [])
    assert.match(file!, /^unregistered-domain\.before-restore-known\.\d{8}T\d{6}\.\d{3}Z\.jsonl$/)
    assert.equal(err, `tenantctl: what Redis held is saved in ${path.join(one.cwd, file!)}\n`)
    assert.match((await one.run('tenant', 'show', 'contoso')).out, /300\/1h/)
    assert.match((await one.run('domain', 'list', 'contoso')).out, /^new\.example +yes/m)
    assert.equal((await one.run('registry', 'status')).status, 0)
    assert.match((await one.run('audit')).out, /lost changes restored +4 changes; old primary/)
    // What Redis held before is in the backup.
    assert.equal((await one.run('restore', file!, '--force')).status, 0)
    assert.match((await one.run('tenant', 'show', 'contoso')).out, /500\/1h/)
  })

  it('restore-known and accept-redis write nothing without the prefix', async () => {
    const one = await site(OF_CONTOSO)
    const before = await readLost(one.store)
    for (const command of ['restore-known', 'accept-redis']) {
      const absent = await one.resolve(command)
      assert.equal(absent.status, 2)
      assert.match(
        errorOf(absent),
        new RegExp(`no terminal to ask at; nothing was written: give --yes ${one.prefix}\n$`),
      )
      const wrong = await one.resolve(command, '--yes', 'ud:')
      assert.equal(wrong.status, 2)
      assert.match(
        errorOf(wrong),
        /"ud:" is not the prefix of the keys; nothing was written: give --yes t/,
      )
      const typed = await one.runIn(
        { asks: true, stdin: 'yes\n' },
        ...['registry', command, '--reason', 'old primary'],
      )
      assert.equal(typed.status, 2)
      assert.match(
        typed.err,
        /Type the prefix of the keys, t\d+: tenantctl: "yes" is not the prefix/,
      )
      const unreasoned = await one.run('registry', command, '--yes', one.prefix)
      assert.match(errorOf(unreasoned), /required option '--reason <text>' not specified/)
    }
    assert.deepEqual(await readLost(one.store), before)
    assert.deepEqual(one.backups(), [])
    assert.match((await one.run('tenant', 'show', 'contoso')).out, /500\/1h/)
  })

  it('restore-known takes the prefix from the terminal', async () => {
    const one = await site(OF_CONTOSO)
    const { status, err } = await one.runIn(
      { asks: true, stdin: `${one.prefix}\n` },
      ...['registry', 'restore-known', '--reason', 'old primary', '--backup', 'before.jsonl'],
    )
    assert.equal(status, 0, err)
    assert.ok(existsSync(path.join(one.cwd, 'before.jsonl')))
    assert.equal(await readLost(one.store), undefined)
  })

  it('restore-known writes nothing without a backup', async () => {
    const one = await site(OF_CONTOSO)
    const refused = await one.resolve(
      'restore-known',
      '--yes',
      one.prefix,
      '--backup',
      'no/b.jsonl',
    )
    assert.equal(refused.status, 4)
    assert.match(
      errorOf(refused),
      /^tenantctl: no backup, so nothing was written: .*no\/b\.jsonl cannot be written \(ENOENT.*--backup FILE\n$/,
    )
    const blind = new Cli(redis.url, undefined, one.prefix)
    const nowhere = await blind.run(
      'registry',
      'restore-known',
      '--reason',
      'x',
      '--yes',
      one.prefix,
    )
    assert.equal(nowhere.status, 2)
    assert.match(
      errorOf(nowhere),
      /no snapshot file to put the backup beside: name it with --backup FILE/,
    )
    assert.match((await one.run('tenant', 'show', 'contoso')).out, /500\/1h/)
  })

  it('restore-known leaves out what conflicts, and what was changed since', async () => {
    const one = await site(OF_CONTOSO)
    await one.given('tenant set contoso --limits 50/1h', 'domain add fabrikam new.example')
    const { status, out } = await one.resolve('restore-known', '--yes', one.prefix, '--json')
    assert.equal(status, 1)
    const { written, skipped, left_out, resolved } = JSON.parse(out) as {
      written: { what: string }[]
      skipped: { what: string; state: string }[]
      left_out: { what: string; why: string }[]
      resolved: boolean
    }
    assert.deepEqual(
      written.map(({ what }) => what),
      ['mode', 'domain old.example'],
    )
    assert.deepEqual(
      skipped.map(({ what, state }) => [what, state]),
      [['limits', 'overtaken']],
    )
    assert.match(left_out[0]!.why, /new\.example belongs to fabrikam/)
    assert.equal(resolved, false)
    const again = await one.run('registry', 'status')
    assert.equal(again.status, 1)
    assert.doesNotMatch(again.out, /limits|mode|old\.example/)
    await one.given('domain move new.example contoso')
    const done = await one.run('registry', 'status')
    assert.equal(done.status, 0)
    assert.match(done.out, /domain new\.example .* changed since\n\nnothing is left to resolve/)
    assert.equal((await one.doctorLine()).level, 'ok')
  })

  it('restore-known has nothing to write where nobody knows what is missing', async () => {
    const one = await site(MISSING)
    const { status, out } = await one.resolve('restore-known', '--yes', one.prefix)
    assert.equal(status, 0)
    assert.equal(out, 'Haraka knows nothing that Redis has lost: nothing was written\n')
    assert.deepEqual(one.backups(), [])
    assert.equal((await one.run('registry', 'status')).status, 1)
  })

  it('accept-redis shows what it drops, and resolves all of it', async () => {
    const one = await site(OF_CONTOSO, MISSING)
    const { status, out, err } = await one.resolve('accept-redis', '--yes', one.prefix)
    assert.equal(status, 0, err)
    assert.match(out, /contoso +limits +300\/1h +500\/1h/)
    assert.match(out, /the connectors: last changed at/)
    assert.match(out, /^what Redis holds is accepted/m)
    assert.match(one.backups()[0]!, /before-accept-redis/)
    assert.equal((await one.run('registry', 'status')).status, 0)
    assert.equal((await one.doctorLine()).level, 'ok')
    assert.match((await one.run('tenant', 'show', 'contoso')).out, /500\/1h/)
    assert.match(
      (await one.run('audit')).out,
      /Redis accepted +without 4 lost changes, 1 missing one; old primary/,
    )
  })

  it('has nothing left to resolve after init --force', async () => {
    const one = await site(OF_CONTOSO, MISSING)
    await one.given('init --force')
    assert.equal(await readLost(one.store), undefined)
  })
})
