import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { tenantctl } from '../../scripts/services/tenantctl'

/** The compiled program, in a separate process. */
describe('the tenantctl program', () => {
  let redis: TestRedis
  let options: string[]
  before(async () => {
    redis = await startRedis()
    options = ['--redis', redis.url]
  })
  after(() => redis.stop())

  it('is the executable that package.json names', () => {
    const root = path.resolve(__dirname, '../..')
    const { bin } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      bin: { tenantctl: string }
    }
    const program = path.join(root, bin.tenantctl)
    accessSync(program, constants.X_OK)
    assert.match(readFileSync(program, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  })

  it('ends after its work', async () => {
    const { stderr, ...result } = await tenantctl([
      ...options,
      'tenant',
      'add',
      'contoso',
      '--json',
    ])
    assert.deepEqual(result, {
      status: 0,
      stdout: '{\n  "result": "added",\n  "tenant": "contoso"\n}\n',
    })
    assert.match(stderr, /^tenantctl: --redis without --config.*\n.*begins one there\n$/)
  })

  it('fails where its output cannot be written', () => {
    const full = openSync('/dev/full', 'w')
    const program = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')
    const { status, stderr } = spawnSync(process.execPath, [program, '--help'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    })
    closeSync(full)
    assert.equal(status, 1)
    assert.match(stderr, /^tenantctl: stdout cannot be written \(ENOSPC: .*\): the output is not/)
  })

  it('reads names from its stdin', async () => {
    const add = [...options, 'domain', 'add', 'contoso', '-']
    const { status, stdout } = await tenantctl(add, { input: 'contoso.com\ncontoso.de\n' })
    assert.equal(status, 0)
    assert.equal(stdout, 'added contoso.com to contoso\nadded contoso.de to contoso\n')
  })

  it('ends with each exit status, and prints errors on stderr in one line', async () => {
    for (const [status, ...args] of [
      [1, '--redis', 'redis://127.0.0.1:1', 'status'],
      [2, ...options, 'tenant', 'add', 'No Id'],
      [2, 'tenant'],
      [3, ...options, 'status', 'nobody'],
      [4, ...options, 'tenant', 'add', 'contoso', '--name', 'Other'],
    ] as [number, ...string[]][]) {
      const result = await tenantctl(args)
      assert.equal(result.status, status, args.join(' '))
      assert.equal(result.stdout, '')
      const lines = result.stderr.split('\n').filter((line) => !line.includes('shipped defaults'))
      assert.equal(lines.length, 2, result.stderr)
      assert.match(lines[0]!, /^tenantctl: /)
    }
  })

  it('two processes that add one name to two tenants: exactly one wins', async () => {
    await tenantctl([...options, 'tenant', 'add', 'fabrikam'])
    const results = await Promise.all(
      ['contoso', 'fabrikam'].map((tenant) =>
        tenantctl([...options, 'domain', 'add', tenant, 'both.example']),
      ),
    )
    assert.deepEqual(results.map(({ status }) => status).sort(), [0, 4])
  })
})
