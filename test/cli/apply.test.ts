import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'
import { record } from '../support/reports'
import { charge } from './charging'
import { Cli, errorOf, FORWARDS_ON, type Result } from './cli'

const FILE = `id: site
tenants:
  contoso:
    name: Contoso Ltd
    limits: 5/1h
    domains:
      - contoso.com
      - { name: contoso.de, subdomains: true }
    connectors:
      web: { ip: [192.0.2.1] }
  fabrikam:
    domains: [fabrikam.com]
`

describe('tenantctl apply', () => {
  let redis: TestRedis
  let cwd: string
  before(async () => {
    redis = await startRedis()
    cwd = mkdtempSync(path.join(tmpdir(), 'apply-'))
  })
  after(async () => {
    rmSync(cwd, { recursive: true })
    await redis.stop()
  })

  function apply(cli: Cli, text: string, ...options: string[]): Promise<Result> {
    writeFileSync(path.join(cwd, 'tenants.yaml'), text)
    return cli.runIn({ cwd }, 'apply', 'tenants.yaml', ...options)
  }

  function read({ out, status, err }: Result): Record<string, unknown> {
    assert.equal(status, 0, err)
    return JSON.parse(out) as Record<string, unknown>
  }

  const nothing = {
    ...{ updated: [], left: [], removed: [], refused: [], errors: [] },
    ...{ changes: [], detached: [], past_limits: [] },
  }

  it('adds what the file holds, and changes nothing the second time', async () => {
    const cli = new Cli(redis.url)
    const first = read(await apply(cli, FILE, '--json'))
    assert.equal((first['added'] as string[]).length, 6)
    assert.deepEqual(
      { ...first, added: [] },
      { ...nothing, dry_run: false, added: [], unchanged: 0 },
    )
    assert.deepEqual(read(await apply(cli, FILE, '--json')), {
      ...nothing,
      dry_run: false,
      added: [],
      unchanged: 6,
    })
    assert.equal((await apply(cli, FILE)).out, '6 unchanged\n')
    const { source } = (await cli.json('tenant', 'show', 'contoso')) as { source: string }
    assert.equal(source, 'file:site')
  })

  it('says with --dry-run what it would do, and does nothing', async () => {
    const cli = new Cli(redis.url)
    const report = read(await apply(cli, FILE, '--dry-run', '--json'))
    assert.equal(report['dry_run'], true)
    assert.equal((report['added'] as string[]).length, 6)
    assert.match((await apply(cli, FILE, '--dry-run')).out, /^would add .*contoso\.com/m)
    assert.deepEqual(await cli.json('tenant', 'list'), [])
  })

  it('applies an allowance for forwards that has no effect, and says so', async () => {
    const file = FILE.replace(/^( +)(limits:.*)$/m, '$1$2\n$1forwarded_limits: 5/1h')
    for (const [ini, said] of [
      ['[forwarded]\nenabled=false\n', /1 tenant has an allowance for forwards: it has no effect/],
      [FORWARDS_ON, /^$/],
    ] as const) {
      const cli = new Cli(redis.url, ini)
      const { status, err } = await apply(cli, file)
      assert.equal(status, 0)
      assert.match(err.replace(/^.* holds no registry: .*\n/m, ''), said)
      const { forwarded_limits } = (await cli.json('tenant', 'show', 'contoso')) as Record<
        string,
        unknown
      >
      assert.equal(forwarded_limits, '5/1h')
    }
  })

  it('names what is no longer in the file, and removes it with --prune', async () => {
    const cli = new Cli(redis.url)
    await apply(cli, FILE)
    const shorter = FILE.replace('      - contoso.com\n', '').replace(/ {2}fabrikam[^]*/, '')
    assert.match((await apply(cli, shorter)).out, /^not in the file, kept: .*contoso\.com/m)
    const report = read(await apply(cli, shorter, '--prune', '--json'))
    const removed = report['removed'] as string[]
    assert.ok(removed.some((text) => text.includes('contoso.com')))
    assert.ok(removed.includes('tenant fabrikam'))
    assert.deepEqual(
      ((await cli.json('tenant', 'list')) as { id: string }[]).map(({ id }) => id),
      ['contoso'],
    )
  })

  it('closes the cases of a tenant that it prunes, as its removal does', async () => {
    const cli = new Cli(redis.url)
    await apply(cli, FILE)
    await cli.given('block fabrikam --reason test', 'unblock fabrikam --reason test')
    const shorter = FILE.replace(/ {2}fabrikam[^]*/, '')
    await apply(cli, shorter, '--prune', '--dry-run')
    assert.equal(((await cli.json('case', 'list')) as unknown[]).length, 1)
    await apply(cli, shorter, '--prune')
    assert.deepEqual(await cli.json('case', 'list'), [])
  })

  it('never prunes a restricted tenant: 4', async () => {
    const cli = new Cli(redis.url)
    await apply(cli, FILE)
    await cli.given('block fabrikam --reason test')
    const result = await apply(cli, FILE.replace(/ {2}fabrikam[^]*/, ''), '--prune')
    assert.equal(result.status, 4)
    assert.match(errorOf(result), /^tenantctl: .*fabrikam.*restricted/m)
    assert.equal((await cli.run('tenant', 'show', 'fabrikam')).status, 0)
  })

  it('changes nothing for an empty file', async () => {
    const cli = new Cli(redis.url)
    await apply(cli, FILE)
    assert.equal((await apply(cli, '', '--prune')).status, 0)
    assert.equal(((await cli.json('tenant', 'list')) as unknown[]).length, 2)
  })

  it('refuses the whole of a tenant with the line, applies the others, and ends with 4', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add adatum', 'domain add adatum contoso.de --subdomains')
    const result = await apply(cli, FILE)
    assert.equal(result.status, 4)
    assert.match(errorOf(result), /^tenantctl: \S*tenants\.yaml:\d+:\d+: tenant contoso: .*adatum/m)
    assert.deepEqual(
      ((await cli.json('tenant', 'list')) as { id: string }[]).map(({ id }) => id),
      ['adatum', 'fabrikam'],
    )
  })

  it('lists all mistakes of a file, and applies nothing: 2', async () => {
    const cli = new Cli(redis.url)
    const wrong = FILE.replace('5/1h', '5/1y').replace('192.0.2.1', 'nowhere')
    const result = await apply(cli, wrong)
    assert.equal(result.status, 2)
    assert.match(errorOf(result), /^tenantctl: \S*tenants\.yaml:5:\d+: .*5\/1y/m)
    assert.match(errorOf(result), /^tenantctl: \S*tenants\.yaml:10:\d+: .*nowhere/m)
    assert.deepEqual(await cli.json('tenant', 'list'), [])
    const absent = await cli.runIn({ cwd }, 'apply', 'absent.yaml')
    assert.equal(absent.status, 2)
    assert.match(errorOf(absent), /absent\.yaml/)
  })

  it('shows what changes, old and new, and a sum', async () => {
    const cli = new Cli(redis.url)
    await apply(cli, FILE)
    const changed = FILE.replace('5/1h', '3/1h').replace('192.0.2.1', '192.0.2.2')
    assert.equal(
      (await apply(cli, `${changed}  adatum: {}\n`, '--dry-run')).out,
      [
        'would add tenant adatum',
        'would update tenant contoso',
        '  limits: 5/1h → 3/1h',
        'would update connector contoso/web',
        '  ip: 192.0.2.1/32 → none',
        '  ip: none → 192.0.2.2/32',
        'would add 1 tenant; would update 1 tenant, 1 connector; 4 unchanged',
        '',
      ].join('\n'),
    )
  })

  it('names tenants that are past limits that it lowers, before and after', async () => {
    const cli = new Cli(redis.url)
    await apply(cli, FILE)
    for (let at = 0; at < 4; at++) await charge(redis, cli, 'contoso')
    for (const options of [['--dry-run'], []]) {
      const { out } = await apply(cli, FILE.replace('5/1h', '4/1h'), ...options)
      assert.match(out, /^1 tenant past its new limits now: contoso$/m)
      await apply(cli, FILE)
    }
    assert.doesNotMatch((await apply(cli, FILE.replace('5/1h', '6/1h'))).out, /past/)
    await cli.given('tenant set contoso --limits 50/1h --for 1h')
    assert.doesNotMatch((await apply(cli, FILE.replace('5/1h', '4/1h'))).out, /past/)
  })

  it('leaves a detached tenant alone, and says so', async () => {
    const cli = new Cli(redis.url)
    await apply(cli, FILE)
    await cli.given('tenant detach contoso', 'tenant set contoso --limits 9/1h')
    const { out, status } = await apply(cli, FILE)
    assert.equal(status, 0)
    assert.match(out, /^detached from the file, left alone: tenant contoso$/m)
    const limits = async (): Promise<unknown> =>
      ((await cli.json('tenant', 'show', 'contoso')) as { limits: string }).limits
    assert.equal(await limits(), '9/1h')
    await cli.given('tenant detach contoso --undo')
    await apply(cli, FILE)
    assert.equal(await limits(), '5/1h')
    assert.equal((await cli.run('tenant', 'detach', 'contoso', '--undo')).status, 0)
    await cli.given('tenant add byhand')
    assert.equal((await cli.run('tenant', 'detach', 'byhand')).status, 4)
    assert.equal((await cli.run('tenant', 'detach', 'nobody')).status, 3)
  })

  it('ends after the tenant that it is at when it is stopped, and goes on with the same command', async () => {
    const cli = new Cli(redis.url)
    const many = manyTenants(300)
    const stop = new AbortController()
    writeFileSync(path.join(cwd, 'tenants.yaml'), many)
    const stopped = cli.runIn({ cwd, interrupt: stop.signal }, 'apply', 'tenants.yaml')
    const client = redis.client()
    await waitFor(() => client.exists(`${cli.prefix}{t5}`))
    stop.abort()
    const result = await stopped
    assert.equal(result.status, 130)
    assert.match(errorOf(result), /stopped: of .*tenants\.yaml \d+ of 300 tenants were applied/)
    const report = read(await apply(cli, many, '--json'))
    const added = (report['added'] as string[]).length
    assert.ok(added > 0 && added < 600, String(added))
    assert.equal(added + Number(report['unchanged']), 600)
  })

  describe('a prune', () => {
    function remaining(cli: Cli): Promise<number> {
      return cli.json('tenant', 'list').then((list) => (list as unknown[]).length)
    }

    it('of many tenants is refused without their number, and names those in use first: 4', async () => {
      const cli = new Cli(redis.url)
      await apply(cli, manyTenants(20))
      const store = new Store(redis.client(), new Keys(cli.prefix))
      await record(store, 't9', { at: Date.now(), class: 'registered', accepted: 12 })
      const result = await apply(cli, manyTenants(5), '--prune')
      assert.equal(result.status, 4)
      assert.match(
        errorOf(result),
        /--prune would remove 15 of 20 tenants, 15 of 20 domains, and nothing was written \(t9 with mail in the last seven days, t10, .* and 5 more\): .*--prune=15/,
      )
      assert.equal((await apply(cli, manyTenants(5), '--prune=14')).status, 4)
      assert.equal(await remaining(cli), 20)
      const dry = await apply(cli, manyTenants(5), '--prune', '--dry-run')
      assert.equal(dry.status, 0)
      assert.match(errorOf(dry), /it needs --prune=15$/m)
      assert.match(dry.out, /^would remove 15 tenants, 15 domains; 10 unchanged$/m)
      assert.equal((await apply(cli, manyTenants(5), '--prune=15')).status, 0)
      assert.equal(await remaining(cli), 5)
    })

    it('of more than 5 % of the domains is refused without a number: 4', async () => {
      const cli = new Cli(redis.url)
      const file = (domains: number): string =>
        `id: a\ntenants:\n  contoso:\n    domains: [${names(domains)}]\n`
      await apply(cli, file(40))
      const result = await apply(cli, file(29), '--prune')
      assert.equal(result.status, 4)
      assert.match(errorOf(result), /would remove 11 of 40 domains, .*--prune=0/)
      assert.equal((await apply(cli, file(30), '--prune')).status, 0)
      assert.equal((await apply(cli, file(15), '--prune=0')).status, 0)
    })

    it('is asked for at a terminal, with the mail that it concerns', async () => {
      const cli = new Cli(redis.url)
      await apply(cli, FILE)
      const store = new Store(redis.client(), new Keys(cli.prefix))
      await record(store, 'fabrikam', { at: Date.now(), class: 'registered', accepted: 1200 })
      writeFileSync(path.join(cwd, 'tenants.yaml'), FILE.replace(/ {2}fabrikam[^]*/, ''))
      const prune = (stdin: string, ...options: string[]): Promise<Result> =>
        cli.runIn({ cwd, stdin, asks: true }, 'apply', 'tenants.yaml', '--prune', ...options)
      const { err, status } = await prune('n\n')
      assert.equal(status, 0)
      assert.match(
        err,
        /fabrikam: 1 domain, 0 connectors; 1,200 recipients of registered mail in the last day$/m,
      )
      assert.match(err, /^Remove 1 tenant, 1 domain and 0 connectors\? \[y\/N\] /m)
      assert.equal(await remaining(cli), 2)
      assert.equal((await prune('y\n')).status, 0)
      assert.equal(await remaining(cli), 1)
    })

    it('takes the file behind it, as before it could take a number', async () => {
      const cli = new Cli(redis.url)
      writeFileSync(path.join(cwd, 'tenants.yaml'), FILE)
      assert.equal((await cli.runIn({ cwd }, 'apply', '--prune', 'tenants.yaml')).status, 0)
      assert.equal((await cli.runIn({ cwd }, 'apply', 'tenants.yaml', '--prune=x')).status, 2)
    })
  })
})

function names(number: number): string {
  return Array.from({ length: number }, (_, at) => `d${at}.example`).join(', ')
}

function manyTenants(number: number): string {
  const tenants = Array.from(
    { length: number },
    (_, at) => `  t${at}: { domains: [t${at}.example] }`,
  )
  return `id: many\ntenants:\n${tenants.join('\n')}\n`
}
