import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { record } from '../support/reports'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf } from './cli'

let redis: TestRedis
before(async () => {
  redis = await startRedis()
})
after(() => redis.stop())

it('a name of never_register_file is refused by domain add and apply, and never suggested', async () => {
  const cwd = scratchDir('never')
  const config = path.join(cwd, 'config')
  mkdirSync(config)
  writeFileSync(path.join(config, 'never'), 'isp.example\n')
  writeFileSync(
    path.join(config, 'unregistered-domain.ini'),
    '[outage]\nsnapshot=\n[registry]\nnever_register_file=never\n',
  )
  writeFileSync(
    path.join(cwd, 'tenants.yaml'),
    'id: a\ntenants: { fabrikam: { domains: [isp.example] } }\n',
  )
  const cli = new Cli(redis.url)
  const run = (...args: string[]) => cli.runIn({ cwd }, '--config', config, ...args)
  await cli.given('tenant add contoso')

  const refused = await run('domain', 'add', 'contoso', 'users.isp.example')
  assert.equal(refused.status, 4)
  assert.match(errorOf(refused), /users\.isp\.example: anybody can get an address/)
  const file = await run('apply', 'tenants.yaml')
  assert.equal(file.status, 4)
  assert.match(errorOf(file), /isp\.example: anybody .* \{ name: isp\.example, force: true \}/)

  const store = new Store(redis.client(), new Keys(cli.prefix))
  await record(store, 'contoso', { at: Date.now(), domain: 'users.isp.example', accepted: 3 })
  const { out } = await run('suggest', 'contoso', '--dns', '127.0.0.1:1', '--json')
  const { never } = JSON.parse(out) as { never: { domain: string }[] }
  assert.deepEqual(
    never.map(({ domain }) => domain),
    ['users.isp.example'],
  )
  assert.equal((await run('domain', 'add', 'contoso', 'isp.example', '--force')).status, 0)
})
