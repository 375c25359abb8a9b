import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { freeze, trip } from '../support/evidence'
import { startRedis, type TestRedis } from '../support/redis'
import { record, recordSamples } from '../support/reports'
import { Cli } from './cli'

const DOMAIN = 'a-department-with-a-long-name.contoso.example'
const MESSAGE_ID = '<20261129090112.4711.1@mail.lure.example>'

describe('a terminal of 80 columns', () => {
  let redis: TestRedis
  let cli: Cli
  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    const store = new Store(redis.client(), new Keys(cli.prefix))
    await cli.given(
      'tenant add contoso --limits 300/1h,1500/1d',
      `domain add contoso contoso.com ${DOMAIN}`,
      'connector add contoso exchange --ip 192.0.2.10 --ip 2001:db8::/64 --auth web@contoso.com',
    )
    const event = trip(1)
    const source = { connector: 'contoso/exchange', ip: '192.0.2.10', user: 'bob@contoso.com' }
    await record(store, 'contoso', { ...source, at: event.at, accepted: 300, refused: 2 })
    await recordSamples(store, 'contoso', event.at, source, [MESSAGE_ID, 'mail.lure.example'])
    await freeze(store, event)
    await cli.run('block', 'contoso', '--reason', 'three complaints of other customers tonight')
  })
  after(() => redis.stop())

  for (const [command, toCopy] of [
    ['status', 'contoso'],
    ['status contoso', 'tenantctl unblock contoso --reason TEXT'],
    ['tenant list', '300/1h, 1500/1d'],
    ['domain list contoso', DOMAIN],
    ['connector list', 'contoso/exchange'],
    ['audit', DOMAIN],
    ['report contoso', MESSAGE_ID],
    ['restricted', 'contoso:2'],
    ['case list', 'contoso:2'],
    ['evidence contoso:1', MESSAGE_ID],
  ] as const) {
    it(`holds ${command}, with what is to be copied in one piece`, async () => {
      const world = { terminal: true, columns: 80, env: { NO_COLOR: '1', SUDO_USER: 'ann' } }
      const { status, out } = await cli.runIn(world, ...command.split(' '))
      assert.equal(status, 0)
      assert.ok(out.includes(toCopy), out)
      for (const line of out.split('\n')) {
        // A sentence is left to the terminal.
        if (!line.startsWith('contoso from ')) assert.ok(line.length <= 80, line)
      }
    })
  }
})
