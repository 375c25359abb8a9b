import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, tenantctl } from './cli'

describe('tenantctl completion', () => {
  let redis: TestRedis
  let cli: Cli
  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'tenant add coho', 'tenant add fabrikam')
  })
  after(() => redis.stop())

  /** What the last word can be. */
  async function found(...words: string[]): Promise<string[]> {
    const options = ['--redis', redis.url, '--prefix', cli.prefix]
    const result = await tenantctl(['completion', 'bash', '--', ...options, ...words])
    assert.equal(result.status, 0)
    assert.equal(result.err, '')
    return result.out.split('\n').slice(0, -1)
  }

  it('knows the commands and their subcommands', async () => {
    assert.deepEqual(await found('do'), ['doctor', 'domain'])
    assert.deepEqual(await found('domain', 'm'), ['move'])
    assert.deepEqual(await found('nonsense', ''), await found(''))
  })

  it('knows the options of a command, the global ones, and what they take', async () => {
    assert.deepEqual(await found('status', '--re'), ['--redis', '--restricted'])
    assert.deepEqual(await found('--color', ''), ['always', 'auto', 'never'])
    assert.deepEqual(await found('completion', 'z'), ['zsh'])
  })

  it('knows the tenants, wherever one is to be typed', async () => {
    assert.deepEqual(await found('block', 'co'), ['coho', 'contoso'])
    assert.deepEqual(await found('tenant', 'show', 'fab'), ['fabrikam'])
    assert.deepEqual(await found('domain', 'move', 'contoso.com', 'fab'), ['fabrikam'])
    assert.deepEqual(await found('events', '--tenant', 'con'), ['contoso'])
    assert.deepEqual(await found('tenant', 'add', 'con'), [])
    assert.deepEqual(await found('domain', 'add', 'contoso', 'con'), [])
  })

  it('prints nothing, and no error, where Redis is away', async () => {
    const away = ['--redis', 'redis://127.0.0.1:1', 'block', '']
    const result = await tenantctl(['completion', 'fish', '--', ...away])
    assert.deepEqual(result, { status: 0, out: '', err: '' })
  })

  const TYPED = {
    bash: `source SCRIPT
      COMP_WORDS=(tenantctl block 'co$(touch EVALUATED)') COMP_CWORD=2
      "$(complete -p tenantctl | sed 's/.*-F \\(\\S*\\).*/\\1/')" tenantctl
      printf '%s\\n' "\${COMPREPLY[@]}"`,
    zsh: `compdef() { :; }; compadd() { printf '%s\\n' "\${(@)found}"; }
      source SCRIPT; words=(tenantctl block 'co$(touch EVALUATED)') CURRENT=3; _tenantctl`,
    fish: `source SCRIPT; complete -C 'tenantctl block '`,
  }
  for (const [shell, typed] of Object.entries(TYPED)) {
    const isThere = spawnSync(shell, ['--version']).status === 0
    it(
      `${shell} offers the answers as they are, and evaluates neither them nor the words`,
      {
        skip: !isThere,
      },
      async () => {
        const folder = scratchDir('completion')
        const script = path.join(folder, 'script')
        writeFileSync(script, (await tenantctl(['completion', shell])).out)
        const program = path.join(folder, 'tenantctl')
        writeFileSync(program, '#!/bin/sh\necho "contoso"\necho \'$(touch EVALUATED)\'\n')
        chmodSync(program, 0o755)
        const { stdout, stderr } = spawnSync(shell, ['-c', typed.replace('SCRIPT', script)], {
          cwd: folder,
          encoding: 'utf8',
          env: { ...process.env, PATH: `${folder}:${process.env['PATH']}` },
        })
        assert.deepEqual(
          stdout.trim().split('\n').sort(),
          ['$(touch EVALUATED)', 'contoso'],
          stderr,
        )
        assert.equal(spawnSync('ls', [folder], { encoding: 'utf8' }).stdout, 'script\ntenantctl\n')
      },
    )
  }
})
