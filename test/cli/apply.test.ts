import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type Result } from './cli'

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

  const nothing = { updated: [], left: [], removed: [], refused: [], errors: [] }

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
})
