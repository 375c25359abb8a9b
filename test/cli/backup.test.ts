import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { waitFor } from '../../scripts/services/wait-for'
import { writeLines } from '../../src/registry-file/write-file'
import type { Header } from '../../src/registry-file/format'
import { formatRecord } from '../../src/registry-file/record'
import { readTenantRecords } from '../../src/registry-file/read-registry'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { lookAtRegistry } from '../../src/registry/epoch'
import { withoutRights, canDropRights } from '../support/without-rights'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type Result, type World } from './cli'

/** `tenantctl` with its own config directory, next to its snapshot file. */
class Site extends Cli {
  readonly cwd = scratchDir('backup')
  readonly snapshot = path.join(this.cwd, 'unregistered-domain.snapshot')
  readonly store: Store

  constructor(server: TestRedis) {
    super(server.url)
    this.store = new Store(server.client(), new Keys(this.prefix))
    mkdirSync(path.join(this.cwd, 'config'))
    writeFileSync(
      path.join(this.cwd, 'config', 'unregistered-domain.ini'),
      '[main]\nmode=enforce\n',
    )
  }

  override run(...args: string[]): Promise<Result> {
    return this.inDirectory({}, ...args)
  }

  inDirectory(world: World, ...args: string[]): Promise<Result> {
    const config = path.join(this.cwd, 'config')
    return this.runIn({ ...world, cwd: this.cwd }, '--config', config, ...args)
  }

  async filled(): Promise<this> {
    await this.given(
      'tenant add contoso',
      'domain add contoso contoso.com --subdomains',
      'connector add contoso mx --ip 192.0.2.1',
      'tenant add fabrikam',
      'block fabrikam --reason test',
    )
    return this
  }

  /** Deletes all keys of this site from Redis. */
  async lose(): Promise<void> {
    const names = await this.store.client.keys(`${this.prefix}*`)
    if (names.length > 0) await this.store.client.del(...names)
  }

  /** As Haraka writes it. */
  async writeSnapshot(tenants: readonly string[], { omitted = 0, age = 0 } = {}): Promise<void> {
    const { epoch, time } = await lookAtRegistry(this.store)
    const { client, keys } = this.store
    const header: Header = {
      kind: 'snapshot',
      prefix: this.prefix,
      epoch: epoch!.epoch,
      schema: epoch!.schema,
      createdAt: time - age,
      omitted,
    }
    const lines: string[] = []
    for (const id of tenants) {
      for await (const record of readTenantRecords(this.store, id, { usage: false })) {
        lines.push(formatRecord(record))
      }
    }
    for (const [id, value] of Object.entries(await client.hgetall(keys.connectors))) {
      lines.push(formatRecord({ type: 'connector', id, value }))
    }
    await writeLines(this.snapshot, header, lines)
  }

  async registryLine(): Promise<{ level: string; message: string; advice: string | null }> {
    const { out } = await this.run('doctor', '--json')
    const lines = JSON.parse(out) as {
      check: string
      level: string
      message: string
      advice: string | null
    }[]
    return lines.find(({ check }) => check === 'registry')!
  }
}

function statusAndError(result: Result): [number, string] {
  return [result.status, errorOf(result)]
}

describe('tenantctl backup and restore', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  it('bring a lost registry back', async () => {
    const site = await new Site(redis).filled()
    const saved = await site.run('backup', 'b.jsonl')
    const file = path.join(site.cwd, 'b.jsonl')
    assert.deepEqual(saved, {
      status: 0,
      out: `${file}: 2 tenants (1 restricted), 1 domain, 1 connector\n`,
      err: '',
    })
    await site.lose()
    const restored = await site.run('restore', 'b.jsonl')
    assert.equal(restored.status, 0, restored.err)
    assert.match(
      restored.out,
      /^restored 2 tenants \(1 restricted\), 1 domain, 1 connector from the backup of 2\S+Z\n$/,
    )
    assert.match((await site.run('restricted')).out, /^fabrikam .*test/m)
    assert.match(
      (await site.run('restore', 'b.jsonl')).out,
      /b\.jsonl: all of it is there already, 2 t/,
    )
    assert.equal((await site.registryLine()).level, 'ok')
  })

  it('report the same as JSON', async () => {
    const site = await new Site(redis).filled()
    const saved = (await site.json('backup', 'b.jsonl')) as Record<string, unknown>
    assert.deepEqual(
      { ...saved, octets: 0, sha256: '', epoch: '', created_at: '' },
      {
        ...{ file: path.join(site.cwd, 'b.jsonl'), octets: 0, records: 4, sha256: '' },
        ...{ tenants: 2, domains: 1, connectors: 1, restricted: 1 },
        ...{ epoch: '', created_at: '', owners_changed: false },
      },
    )
    await site.lose()
    const restored = (await site.json('restore', 'b.jsonl')) as Record<string, unknown>
    assert.deepEqual(
      { ...restored, created_at: '' },
      {
        ...{ result: 'restored', file: path.join(site.cwd, 'b.jsonl'), kind: 'backup' },
        ...{ created_at: '', tenants: 2, domains: 1, connectors: 1, restricted: 1, written: 5 },
        ...{ omitted: 0, left_out: { count: 0, named: [] }, inconsistencies: [] },
        ...{ epoch: saved['epoch'], restrictions: 'keep' },
      },
    )
    assert.equal(
      ((await site.json('restore', 'b.jsonl')) as { result: string }).result,
      'unchanged',
    )
  })

  it('write to stdout too', async () => {
    const site = await new Site(redis).filled()
    const { out, err, status } = await site.run('backup', '-')
    assert.equal(status, 0)
    assert.equal(err, 'tenantctl: wrote 2 tenants (1 restricted), 1 domain, 1 connector\n')
    writeFileSync(path.join(site.cwd, 'piped'), out)
    assert.match((await site.run('restore', 'piped')).out, /all of it is there already/)
    assert.deepEqual(statusAndError(await site.run('restore', '-')), [
      2,
      'tenantctl: restore reads its file twice, so it takes none from stdin: name a file\n',
    ])
  })

  it('refuse a missing file, a file that is not a backup, and a restore that would lose something', async () => {
    const site = await new Site(redis).filled()
    await site.run('backup', 'b.jsonl')
    const before = readFileSync(path.join(site.cwd, 'b.jsonl'), 'utf8')
    for (const [args, status, message] of [
      [['restore'], 2, /name a file, or give --from-snapshot/],
      [['restore', 'absent'], 2, /absent cannot be read \(ENOENT/],
      [['restore', 'config/unregistered-domain.ini'], 2, /it is no backup/],
      [['restore', '--from-snapshot'], 2, /unregistered-domain\.snapshot cannot be read \(ENOENT/],
      [['backup', 'absent/b.jsonl'], 1, /cannot be written \(ENOENT/],
      [['backup', 'config'], 1, /config is there already and is no regular file/],
    ] as const) {
      const result = await site.run(...args)
      assert.equal(result.status, status, args.join(' '))
      assert.match(errorOf(result), message)
      assert.equal(result.out, '')
    }
    await site.given('tenant add later', 'tenant set contoso --mode off')
    const refused = await site.run('restore', 'b.jsonl')
    assert.equal(refused.status, 4)
    assert.match(
      errorOf(refused),
      /another registry \(tenants: 3\).*1 differences: tenant contoso\).*--force/,
    )
    assert.equal((await site.run('restore', 'b.jsonl', '--force')).status, 0)
    await site.lose()
    const nothing = await site.run('backup', 'b.jsonl')
    assert.equal(nothing.status, 4)
    assert.match(errorOf(nothing), /Redis holds no tenant under t\d+:/)
    assert.equal(readFileSync(path.join(site.cwd, 'b.jsonl'), 'utf8'), before)
  })

  it('restores the snapshot of Haraka, and names the tenants that are not in it', async () => {
    const site = await new Site(redis).filled()
    await site.given('connector add fabrikam mx --ip 192.0.2.2')
    await site.writeSnapshot(['contoso'], { omitted: 1 })
    await site.lose()
    const { status, out, err } = await site.run('restore', '--from-snapshot')
    assert.equal(status, 0, err)
    assert.match(out, /^restored 1 tenant .* from the snapshot of /)
    assert.match(out, /a snapshot file holds no usage/)
    assert.match(err, /NOT ALL TENANTS ARE BACK: .* 1 more tenant/)
    assert.match(err, /left out connector fabrikam\/mx: there is no tenant fabrikam/)
    assert.equal(
      (await site.run('explain', '--from', 'x@contoso.com', '--ip', '192.0.2.1')).status,
      0,
    )
  })

  it('keep restrictions that only Haraka knows, unless a person says that they go', async () => {
    const restore = ['restore', 'b.jsonl']
    for (const [args, world, restrictions] of [
      [[], {}, 'keep'],
      [['--restrictions', 'keep'], {}, 'keep'],
      [['--restrictions', 'file'], {}, 'file'],
      [[], { asks: true, stdin: '\n' }, 'keep'],
      [[], { asks: true, stdin: 'y\n' }, 'keep'],
      [[], { asks: true, stdin: 'no\n' }, 'file'],
    ] as const) {
      const site = await new Site(redis).filled()
      await site.run('backup', 'b.jsonl')
      await site.given('block contoso --reason test', 'unblock fabrikam --reason test')
      await site.writeSnapshot(['contoso', 'fabrikam'])
      await site.lose()
      const { status, err } = await site.inDirectory(world, ...restore, ...args)
      assert.equal(status, 0, err)
      assert.equal(
        err.includes(
          'Haraka knows restrictions that the file does not have: contoso. Keep them? [Y/n]',
        ),
        'asks' in world,
      )
      assert.match(
        err,
        /restricted by the file; where that was lifted since, unblock again: fabrikam/,
      )
      assert.match(
        err,
        restrictions === 'keep'
          ? /restricted as Haraka knows and not in the file; Haraka puts it back: contoso/
          : /no longer restricted, since the file has no restriction: contoso/,
      )
      const { lifted, accepted } = await lookAtRegistry(site.store)
      assert.ok(accepted > 0)
      assert.equal(lifted > 0, restrictions === 'file')
    }
  })

  it('keep restrictions in Redis that the file does not have', async () => {
    const site = await new Site(redis).filled()
    await site.run('backup', 'b.jsonl')
    await site.given('block contoso --reason test')
    const { status, err } = await site.run(
      'restore',
      'b.jsonl',
      '--force',
      '--restrictions',
      'file',
    )
    assert.equal(status, 0, err)
    assert.match(err, /restricted in Redis and not in the file; stays: contoso/)
    assert.match((await site.run('restricted')).out, /^contoso /m)
  })

  it('ask before a file is written over something else', async () => {
    const site = await new Site(redis).filled()
    await site.run('backup', 'b.jsonl')
    await site.given('tenant set contoso --limits 9/1h')
    const over = (stdin: string, ...args: string[]): Promise<Result> =>
      site.inDirectory({ asks: true, stdin }, 'restore', 'b.jsonl', '--force', ...args)
    const limits = async (): Promise<unknown> =>
      ((await site.json('tenant', 'show', 'contoso')) as { limits: unknown }).limits
    const kept = await over('n\n')
    assert.match(kept.err, /^tenantctl: different in Redis: tenant contoso$/m)
    assert.match(kept.err, /^Write \S+b\.jsonl over 1 difference\? \[y\/N\] /m)
    assert.equal(await limits(), '9/1h')
    assert.equal((await over('y\n', '--tenant', 'contoso')).status, 0)
    assert.equal(await limits(), null)
    await site.given('tenant set contoso --limits 9/1h')
    assert.doesNotMatch((await over('', '--yes')).err, /\?/)
    assert.equal(await limits(), null)
  })

  it('restore one tenant of a file', async () => {
    const site = await new Site(redis).filled()
    await site.run('backup', 'b.jsonl')
    await site.given('tenant remove contoso', 'tenant add adatum')
    const { out, status } = await site.run('restore', 'b.jsonl', '--tenant', 'contoso')
    assert.equal(status, 0)
    assert.match(out, /^restored 1 tenant \(0 restricted\), 1 domain, 1 connector from the backup/)
    const tenants = (await site.json('tenant', 'list')) as { id: string }[]
    assert.deepEqual(
      tenants.map(({ id }) => id),
      ['adatum', 'contoso', 'fabrikam'],
    )
    assert.equal((await site.run('restore', 'b.jsonl', '--tenant', 'adatum')).status, 3)
    const audit = (await site.json('audit', 'contoso')) as { what: string }[]
    assert.ok(audit.some(({ what }) => what === 'tenant restored'))
  })

  it('restore killed with kill -9 at any moment completes when it is run again', async () => {
    const site = new Site(redis)
    const tenants = Array.from({ length: 300 }, (_, at) => `t${at}`)
    writeFileSync(
      path.join(site.cwd, 'tenants.yaml'),
      `id: x\ntenants:\n${tenants.map((id) => `  ${id}: { domains: [${id}.example], connectors: { mx: { auth: [${id}] } } }\n`).join('')}`,
    )
    await site.given('apply tenants.yaml', 'block t7 --reason test')
    await site.run('backup', 'b.jsonl')
    const program = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')
    const args = ['--redis', redis.url, '--prefix', site.prefix, 'restore', 'b.jsonl']
    for (const reached of [1, 150]) {
      await site.lose()
      const child = spawn(process.execPath, [program, ...args], { cwd: site.cwd, stdio: 'ignore' })
      const ended = new Promise((resolve) => child.once('exit', resolve))
      await waitFor(
        async () => (await site.store.client.scard(`${site.prefix}{@tenants}`)) >= reached,
      )
      child.kill('SIGKILL')
      await ended
      execFileSync(process.execPath, [program, ...args], { cwd: site.cwd })
      assert.equal(((await site.json('tenant', 'list')) as unknown[]).length, 300)
      assert.match((await site.run('restricted')).out, /^t7 /m)
      assert.match((await site.run('restore', 'b.jsonl')).out, /all of it is there already/)
    }
    assert.deepEqual((await readdir(site.cwd)).sort(), ['b.jsonl', 'config', 'tenants.yaml'])
  })
})

describe('a registry that Redis has lost', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  const WRITING = [
    'tenant add a',
    'tenant set contoso --mode off',
    'tenant remove contoso',
    'domain add contoso a.example',
    'domain remove contoso contoso.com',
    'domain move contoso.com fabrikam',
    'connector add contoso a --ip 192.0.2.9',
    'connector remove contoso mx',
    'connector disable contoso mx',
    'connector enable contoso mx',
    'block contoso --reason a',
    'unblock fabrikam --reason a',
    'apply tenants.yaml',
    'backup b.jsonl',
    'init',
  ]

  it('is not written to by any command until an operator decides', async () => {
    const site = await new Site(redis).filled()
    writeFileSync(path.join(site.cwd, 'tenants.yaml'), 'id: x\ntenants: { contoso: {} }\n')
    await site.writeSnapshot(['contoso', 'fabrikam'])
    assert.equal((await site.run('tenant', 'set', 'contoso', '--name', 'C')).status, 0)
    await site.lose()
    for (const line of WRITING) {
      const result = await site.run(...line.split(' '))
      assert.equal(result.status, 4, line)
      assert.match(
        errorOf(result),
        /^tenantctl: Redis has lost the registry that Haraka knew at .*restore --from-snapshot, .*init --force\n$/,
      )
    }
    assert.deepEqual(await site.store.client.keys(`${site.prefix}*`), [])
    for (const line of [
      'tenant list',
      'status',
      'restricted',
      'connector list',
      'apply tenants.yaml --dry-run',
    ]) {
      const { status, err } = await site.run(...line.split(' '))
      assert.equal(status, 0, line)
      assert.match(
        err,
        /^tenantctl: Redis has lost the registry that Haraka knew at [^\n]*\n$/m,
        line,
      )
    }
    const { level, message } = await site.registryLine()
    assert.equal(level, 'fail')
    assert.match(message, /Redis has lost the registry/)
    assert.equal((await site.run('restore', '--from-snapshot')).status, 0)
    assert.equal((await site.run('tenant', 'set', 'contoso', '--mode', 'off')).status, 0)
    assert.equal((await site.registryLine()).level, 'ok')
    assert.doesNotMatch((await site.run('restricted')).err, /lost/)
    assert.ok(!existsSync(path.join(site.cwd, 'b.jsonl')))
  })

  it('is noticed where a new registry has replaced it', async () => {
    const site = await new Site(redis).filled()
    await site.writeSnapshot(['contoso'])
    await site.lose()
    const blind = new Cli(redis.url, undefined, site.prefix)
    await blind.given('tenant add other')
    const result = await site.run('tenant', 'add', 'a')
    assert.equal(result.status, 4)
    assert.match(errorOf(result), /and holds another one, \S+ of 2\S+ with 1 tenant:/)
    const { status, out } = await site.run('init', '--force')
    assert.equal(status, 0)
    assert.match(
      out,
      /^the current content of Redis is the registry from now on: 1 tenant, 0 restricted\. Haraka drops/,
    )
    assert.equal((await site.run('tenant', 'add', 'a')).status, 0)
  })

  it('does not count as lost because a snapshot is damaged or of another kind', async () => {
    const site = await new Site(redis).filled()
    writeFileSync(site.snapshot, 'something else\n')
    assert.equal((await site.run('tenant', 'add', 'a')).status, 0)
  })

  it(
    'is not replaced by a user who may not read the snapshot',
    { skip: !canDropRights },
    async () => {
      const site = await new Site(redis).filled()
      await site.writeSnapshot(['contoso'])
      for (const folder of [path.dirname(site.cwd), site.cwd]) chmodSync(folder, 0o755)
      const run = (...args: string[]): Promise<Result> => withoutRights(() => site.run(...args))
      const added = await run('tenant', 'add', 'a')
      assert.equal(added.status, 0, added.err)
      await site.lose()
      const refused = await run('tenant', 'add', 'a')
      assert.equal(refused.status, 4)
      assert.match(errorOf(refused), /it is not known whether Haraka had one: .*\(EACCES\): .*root/)
      assert.match(errorOf(await run('restore', '--from-snapshot')), /\(EACCES\): .*root/)
      assert.match((await run('doctor')).out, /^warn {2}snapshot: .*\(EACCES\)/m)
      assert.match((await site.run('doctor')).out, /^ok {4}snapshot: .* is of 2/m)
      assert.deepEqual(await site.store.client.keys(`${site.prefix}*`), [])
      assert.equal((await run('init', '--force')).status, 0)
      assert.equal((await run('tenant', 'add', 'a')).status, 0)
    },
  )

  it('would not be noticed with an outdated snapshot, and the doctor says so', async () => {
    const site = await new Site(redis).filled()
    assert.match((await site.run('doctor')).out, /^warn {2}snapshot: .*\(ENOENT\)/m)
    await site.writeSnapshot(['contoso'], { age: 4 * 3_600_000 })
    assert.match((await site.run('doctor')).out, /^warn {2}snapshot: .* is of 2.*\n.* every hour/m)
  })

  it('is not confused with the registry of another --prefix', async () => {
    const site = await new Site(redis).filled()
    await site.writeSnapshot(['contoso'])
    const another = await new Site(redis).filled()
    writeFileSync(another.snapshot, readFileSync(site.snapshot))
    assert.equal((await another.run('tenant', 'add', 'a')).status, 0)
  })

  it('whose restore was cut short is not written to', async () => {
    const site = await new Site(redis).filled()
    await site.store.client.set(site.store.keys.restore, 'a'.repeat(64))
    const result = await site.run('tenant', 'add', 'a')
    assert.equal(result.status, 4)
    assert.match(errorOf(result), /a restore was cut short/)
    assert.match((await site.registryLine()).message, /a restore was cut short/)
    await site.given('init --force', 'tenant add a')
  })
})

describe('tenantctl init', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  it('begins a registry once', async () => {
    const site = new Site(redis)
    const { level, advice } = await site.registryLine()
    assert.equal(level, 'warn')
    assert.match(advice!, /tenantctl init/)
    const first = (await site.json('init')) as Record<string, unknown>
    assert.deepEqual(
      { ...first, epoch: '' },
      { result: 'created', epoch: '', schema: '1.1', tenants: 0, restricted: 0 },
    )
    assert.deepEqual(await site.json('init'), { ...first, result: 'unchanged' })
    const forced = (await site.json('init', '--force')) as Record<string, unknown>
    assert.equal(forced['result'], 'confirmed')
    assert.notEqual(forced['epoch'], first['epoch'])
    const [entry] = (await site.json('audit')) as { what: string; to: string; os: string }[]
    assert.equal(entry?.what, 'registry confirmed')
    assert.match(entry.to, /^0 tenants, 0 restricted/)
  })

  it('happens in the first command that writes, and in none that reads', async () => {
    const site = new Site(redis)
    for (const line of ['tenant list', 'status', 'restricted', 'doctor', 'connector list']) {
      await site.run(...line.split(' '))
    }
    assert.deepEqual(await site.store.client.keys(`${site.prefix}*`), [])
    await site.given('tenant add a')
    assert.equal(((await site.json('init')) as { result: string }).result, 'unchanged')
  })

  it('and every other command leave a later schema alone', async () => {
    const site = await new Site(redis).filled()
    await site.store.client.hset(site.store.keys.epoch, 'schema', '2.3')
    const before = await site.store.client.hgetall(site.store.keys.epoch)
    for (const line of [
      'tenant list',
      'status',
      'tenant add a',
      'init',
      'init --force',
      'backup b',
      'block contoso --reason a',
    ]) {
      const result = await site.run(...line.split(' '))
      assert.equal(result.status, 4, line)
      assert.match(
        errorOf(result),
        /Redis holds the registry in schema 2\.3.*use the later version/,
      )
    }
    const { level, message } = await site.registryLine()
    assert.equal(level, 'fail')
    assert.match(message, /schema 2\.3/)
    assert.deepEqual(await site.store.client.hgetall(site.store.keys.epoch), before)
  })
})
