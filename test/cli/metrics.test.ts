import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { startRedis, type TestRedis } from '../support/redis'
import { valuesOf } from '../support/prometheus-text'
import { Cli, errorOf, tenantctl, type Result } from './cli'

const TOKEN = '0123456789abcdef0123456789abcdef'

/** A running `tenantctl metrics`. */
interface Serving {
  readonly url: string
  /** Ctrl-C. */
  end(): Promise<Result>
}

/** Runs `tenantctl metrics` until it serves. */
async function serve(cli: Pick<Cli, 'runIn'>, ...args: string[]): Promise<Serving> {
  const interrupt = new AbortController()
  let told: (url: string) => void = () => {}
  const url = new Promise<string>((resolve) => (told = resolve))
  const world = {
    interrupt: interrupt.signal,
    onErr: (text: string) => {
      const [found] = /http:\S+/.exec(text) ?? []
      if (found !== undefined) told(found)
    },
  }
  const ended = cli.runIn(world, 'metrics', ...args)
  const early = ended.then(({ err }) => Promise.reject(new Error(err)))
  early.catch(() => {})
  return {
    url: await Promise.race([url, early]),
    end: () => {
      interrupt.abort()
      return ended
    },
  }
}

describe('tenantctl metrics', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  it('serves what --once prints, until Ctrl-C', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'block contoso --reason x')
    const once = await cli.run('metrics', '--once')
    assert.equal(once.status, 0)
    assert.deepEqual(valuesOf(once.out, 'tenant_restricted'), { 'contoso unregistered': 1 })
    const serving = await serve(cli, '--listen', '127.0.0.1:0')
    const text = await (await fetch(serving.url)).text()
    assert.deepEqual(valuesOf(text, 'tenant_restricted'), { 'contoso unregistered': 1 })
    const { status, out } = await serving.end()
    assert.deepEqual([status, out], [0, ''])
    await assert.rejects(fetch(serving.url))
  })

  it('starts while Redis is away, and says so in the text and once on stderr', async () => {
    const away = {
      runIn: (...[world, ...args]: Parameters<Cli['runIn']>) =>
        tenantctl(['--redis', 'redis://127.0.0.1:1', ...args], world),
    }
    const serving = await serve(away, '--listen', '127.0.0.1:0')
    const text = await (await fetch(serving.url)).text()
    assert.deepEqual(valuesOf(text, 'redis_up'), { '': 0 })
    const { status, err } = await serving.end()
    assert.equal(status, 0)
    assert.equal(err.match(/ECONNREFUSED/g)!.length, 1)
  })

  it('is refused beyond loopback without a token, and where it cannot listen', async () => {
    const cli = new Cli(redis.url)
    for (const listen of ['0.0.0.0:0', '[::]:0', '192.0.2.1:9825']) {
      const result = await cli.run('metrics', '--listen', listen)
      assert.equal(result.status, 2)
      assert.equal(
        errorOf(result),
        `tenantctl: ${listen} can be reached from other machines: set [metrics] token_file, or listen on 127.0.0.1\n`,
      )
    }
    const serving = await serve(cli, '--listen', '127.0.0.1:0')
    const { host } = new URL(serving.url)
    const second = await cli.run('metrics', '--listen', host)
    assert.equal(second.status, 1)
    assert.match(errorOf(second), /: another process listens there: end it, or name another port/)
    await serving.end()
  })

  it('asks for the token of the ini file, which only its user may read', async () => {
    const directory = scratchDir('token')
    const file = path.join(directory, 'token')
    writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 })
    const cli = new Cli(redis.url, `[metrics]\nlisten=0.0.0.0:0\ntoken_file=${file}\n`)
    const serving = await serve(cli)
    const url = serving.url.replace('0.0.0.0', '127.0.0.1')
    assert.equal((await fetch(url)).status, 401)
    const headers = { authorization: `Bearer ${TOKEN}` }
    assert.equal((await fetch(url, { headers })).status, 200)
    const { err } = await serving.end()
    assert.ok(!err.includes(TOKEN))
    chmodSync(file, 0o644)
    const open = await cli.run('metrics')
    assert.equal(open.status, 2)
    assert.match(errorOf(open), /token_file: \S+ has mode 0644: others on this machine may read/)
  })

  it('ends with 0 at SIGTERM, also while it serves', async () => {
    const program = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')
    const args = [program, '--redis', redis.url, 'metrics', '--listen', '127.0.0.1:0']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = once(child, 'close')
    let url = ''
    for await (const line of createInterface(child.stderr)) {
      ;[url = ''] = /http:\S+/.exec(line) ?? []
      if (url !== '') break
    }
    child.stderr.resume()
    assert.equal((await fetch(url)).status, 200)
    child.kill('SIGTERM')
    assert.deepEqual(await ended, [0, null])
  })
})
