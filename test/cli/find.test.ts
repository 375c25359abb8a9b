import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Batch } from '../../src/reporting/batch'
import { Recorder } from '../../src/reporting/recorder'
import { Tally } from '../../src/reporting/tally'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'
import { ACCEPTED } from '../support/reporting'
import { Cli } from './cli'

describe('tenantctl find', () => {
  let redis: TestRedis
  let cli: Cli
  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    await cli.given(
      ...['tenant add contoso --name ContosoLtd', 'domain add contoso contoso.com --subdomains'],
      ...['connector add contoso mx --ip 192.0.2.0/24', 'block contoso --reason test'],
    )
    const store = new Store(redis.client(), new Keys(cli.prefix))
    const recorder = new Recorder(store, () => 90)
    const tally = new Tally(() => {})
    const source = { domain: 'lure.example', connector: 'contoso/mx', ip: '192.0.2.1', user: '' }
    tally.batchOf('contoso')!.addSource(source, 'unregistered', ACCEPTED)
    tally.batchOf('contoso')!.addSample(source, '<4711\u202e@lure.example>', 'helo')
    await recorder.record('contoso', tally.take('contoso') as Batch, 'p 1')
    await recorder.mailIndex.write()
  })
  after(() => redis.stop())

  it('finds what the page of the console finds, in one table', async () => {
    const { status, out } = await cli.run('find', 'contoso')
    assert.equal(status, 0)
    assert.match(out, /^tenant +ContosoLtd +contoso +restricted$/m)
    assert.match(out, /^accepted domain +contoso\.com +contoso +with subdomains$/m)
    assert.match(out, /^connector +contoso\/mx +contoso +ip 192\.0\.2\.0\/24$/m)
    assert.match(out, /^case +contoso:1 +contoso +open, of /m)
    assert.match(
      (await cli.run('find', 'lure')).out,
      /^sender domain +lure\.example +contoso +last on /m,
    )
    assert.match((await cli.run('find', '192.0.2.1')).out, /^address +192\.0\.2\.1 +contoso /m)
  })

  it('prints all of it as JSON, and a hostile Message-ID so that a terminal does not act on it', async () => {
    const { out } = await cli.run('find', '<\u202e4711', '--json')
    assert.doesNotMatch(out, /\u202e/)
    const found = JSON.parse(out) as Record<string, { last_day?: string }[]>
    const [{ last_day: day, ...seen } = {}, ...more] = found['message_ids']!
    assert.match(day ?? '', /^\d{4}-\d\d-\d\d$/)
    assert.deepEqual(
      [seen, more],
      [{ message_id: '4711\u202e@lure.example', tenant: 'contoso' }, []],
    )
    assert.deepEqual(Object.keys(found), [
      ...['tenants', 'domains', 'connectors', 'cases'],
      ...['sender_domains', 'addresses', 'message_ids', 'more', 'full_days'],
    ])
  })

  it('says with its status and in a sentence that nothing is found, or the text is too short', async () => {
    const nothing = await cli.run('find', 'nowhere.example')
    assert.equal(nothing.status, 3)
    assert.match(nothing.err, /^tenantctl: nothing is found for "nowhere.example"$/m)
    const short = await cli.run('find', 'ab')
    assert.equal(short.status, 2)
    assert.match(short.err, /"ab" is too short: give at least 3 characters/)
  })
})
