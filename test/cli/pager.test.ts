import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type World } from './cli'

describe('the pager', () => {
  let redis: TestRedis
  let cli: Cli
  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
  })
  after(() => redis.stop())

  function terminal(env: Record<string, string>): World {
    return { terminal: true, env: { PATH: process.env['PATH']!, ...env } }
  }

  it('gets a long list on a terminal, with the options of less that git gives it', async () => {
    const file = path.join(scratchDir('pager'), 'page')
    const result = await cli.runIn(
      terminal({ PAGER: 'false', TENANTCTL_PAGER: `(echo "$LESS"; cat) > ${file}` }),
      'status',
    )
    assert.deepEqual([result.status, result.out], [0, ''])
    const page = readFileSync(file, 'utf8')
    assert.match(page, /^FRX\n.*TENANT[^]*\ncontoso /)
  })

  it('is not begun for --no-pager, a pipe, a dumb terminal, or a change', async () => {
    const file = path.join(scratchDir('pager'), 'page')
    const PAGER = `cat > ${file}`
    for (const [world, ...args] of [
      [terminal({ PAGER }), 'status', '--no-pager'],
      [{ env: { PAGER } }, 'status'],
      [terminal({ PAGER, TERM: 'dumb' }), 'status'],
      [terminal({ PAGER }), 'tenant', 'set', 'contoso', '--mode', 'monitor'],
      [terminal({ PAGER: '' }), 'status'],
      [terminal({ PAGER: 'cat' }), 'status'],
    ] as const) {
      const { status, out } = await cli.runIn(world, ...args)
      assert.equal(status, 0)
      assert.match(out, /contoso/)
    }
    assert.equal(existsSync(file), false)
  })

  it('may be left before the end', async () => {
    const { status, err } = await cli.runIn(terminal({ PAGER: 'true' }), 'status')
    assert.deepEqual([status, err.includes('written')], [0, false])
  })

  it('that cannot be run is an error, not silence', async () => {
    const result = await cli.runIn(terminal({ PAGER: 'no-such-pager 2> /dev/null' }), 'status')
    assert.equal(result.status, 1)
    assert.match(
      errorOf(result),
      /^tenantctl: the pager "no-such-pager .*" cannot be run: .*--no-pager/,
    )
  })
})
