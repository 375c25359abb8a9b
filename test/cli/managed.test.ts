import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli } from './cli'

let redis: TestRedis
before(async () => {
  redis = await startRedis()
})
after(() => redis.stop())

/** Each changes something that the file may set back. */
const COMMANDS = [
  'tenant set contoso --limits 9/1h',
  'domain add contoso contoso.net',
  'domain set contoso contoso.net --subdomains',
  'domain remove contoso contoso.net',
  'domain move contoso.de fabrikam',
  'connector add contoso edge --auth edge',
  'connector set contoso edge --add-auth edge2',
  'connector disable contoso edge',
  'connector enable contoso edge',
  'connector remove contoso edge',
]

const NOTE =
  /^tenantctl: contoso comes from file:bulk, which will set back .*\(tenantctl tenant detach contoso\)$/m

it('every command that changes a tenant of a file says so, until the tenant is detached', async () => {
  const cwd = scratchDir('managed')
  const cli = new Cli(redis.url)
  const file = 'id: bulk\ntenants: { contoso: { domains: [contoso.com, contoso.de] } }\n'
  writeFileSync(path.join(cwd, 'tenants.yaml'), file)
  assert.equal((await cli.runIn({ cwd }, 'apply', 'tenants.yaml')).status, 0)
  await cli.given('tenant add fabrikam')
  for (const line of COMMANDS) {
    const { err, status } = await cli.run(...line.split(' '))
    assert.equal(status, 0, `${line}: ${err}`)
    assert.match(err, NOTE, line)
  }
  for (const line of [
    'block contoso --reason x',
    'unblock contoso --reason x',
    'tenant set fabrikam --limits 9/1h',
    'tenant detach contoso',
    'tenant set contoso --limits 8/1h',
  ]) {
    const { err, status } = await cli.run(...line.split(' '))
    assert.equal(status, 0, `${line}: ${err}`)
    assert.doesNotMatch(err, /comes from file/, line)
  }
})
