import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { freeze, trip } from '../support/evidence'
import { startRedis, type TestRedis } from '../support/redis'
import { record, recordHeaderFrom, recordSamples } from '../support/reports'
import { Cli, errorOf } from './cli'

const HOSTILE = '\u001b[2J\u202ex\nforged\u009b31m'

describe('tenantctl evidence', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function site(): Promise<{ cli: Cli; store: Store }> {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'connector add contoso exchange --ip 192.0.2.10')
    return { cli, store: new Store(redis.client(), new Keys(cli.prefix)) }
  }

  it('prints a page for people, of the latest case or a named one', async () => {
    const { cli, store } = await site()
    const first = trip(1)
    await freeze(store, first)
    const event = trip(2, { probation: true })
    const source = { connector: 'contoso/exchange', ip: '192.0.2.10', user: 'bob' }
    await record(store, 'contoso', { ...source, at: event.at, accepted: 300, refused: 2 })
    await record(store, 'contoso', { at: event.at, accepted: 100, class: 'registered' })
    await recordSamples(store, 'contoso', event.at, source, ['<1@lure.example>', 'mail.example'])
    await freeze(store, event)

    const { out } = await cli.run('evidence', 'contoso')
    const page = out
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
      .replace(/^\d{4}-\d\d-\d\dT\d\d:\d0Z( +302)/gm, 'TEN$1')
      .replace(/\d{4}-\d\d-\d\dT\d\d:00Z/g, 'HOUR')
      .replace(/\d{4}-\d\d-\d\d \d\d:\d\dZ/g, 'MINUTE')
      .replace(/\d{4}-\d\d-\d\d/g, 'DAY')
      .replace(/by \S+, process \d+/, 'by HOST, process N')
      .replace(/TIME (.*added).*/g, 'TIME $1 …')
      .replace(/ +/g, ' ')
    assert.equal(
      page,
      `case contoso:2
restricted TIME, automatic: allowance of 300/1h exceeded
scope unregistered
trigger 300 in 1h reached, from lure.example, connector contoso/exchange, 192.0.2.10
probation it tripped within it
meter then 300 of 300 in 1h, 411 of 1500 in 1d
allowance 300/1h, 1500/1d (default); null sender 300/1h, 1500/1d
mode enforce
frozen TIME by HOST, process N

LAST 24 HOURS ACCEPTED REFUSED OF ALL REGISTERED NULL SENDER
HOUR 300/300 2/2 75.0 % 100/100 0/0

10 MINUTES FROM contoso/exchange OF THESE REFUSED REGISTERED
TEN 302/302 2/2 100/100

SENDER DOMAIN ACCEPTED REFUSED FIRST LAST
lure.example 300/300 2/2 MINUTE MINUTE

CONNECTOR ACCEPTED REFUSED FIRST LAST
contoso/exchange 300/300 2/2 MINUTE MINUTE

IP ACCEPTED REFUSED FIRST LAST
192.0.2.10 300/300 2/2 MINUTE MINUTE

AUTH USER ACCEPTED REFUSED FIRST LAST
bob 300/300 2/2 MINUTE MINUTE

SAMPLES OF SENDER DOMAIN IP AUTH USER HELO MESSAGE-ID
DAY lure.example 192.0.2.10 bob mail.example <1@lure.example>

CHANGED SUBJECT WHAT FROM TO BY
TIME contoso/exchange connector added …
TIME contoso tenant added …

Counts are messages/recipients.
`,
    )
    const one = await cli.run('evidence', 'contoso:1')
    assert.match(one.out, /^case +contoso:1$/m)
    assert.match(one.out, /^no mail recorded in the last 24 hours$/m)
  })

  it('names foreign domains with their owners, and the domains in header Froms', async () => {
    const { cli, store } = await site()
    const event = trip(1)
    await record(
      store,
      'contoso',
      { at: event.at, accepted: 300 },
      { at: event.at, accepted: 7, class: 'foreign', domain: 'news.fabrikam.com' },
    )
    const mismatched = { 'bank.example': 2, 'post.example': 1 }
    const bounces = { of: 'null', looked: 9, mismatched: { 'lure.example': 8 } } as const
    await recordHeaderFrom(
      store,
      'contoso',
      { at: event.at, looked: 120, mismatched },
      { at: event.at, ...bounces },
    )
    await freeze(store, event)
    const { out } = await cli.run('evidence', 'contoso')
    const page = out.replace(/ +/g, ' ')
    assert.match(page, /^LAST 24 HOURS ACCEPTED OF ALL FOREIGN REGISTERED NULL SENDER$/m)
    assert.match(page, /^FOREIGN DOMAIN BELONGS TO ACCEPTED FIRST LAST$/m)
    assert.match(page, /^news.fabrikam.com fabrikam 7\/7 /m)
    assert.match(page, /^news.fabrikam.com belongs to fabrikam: a wrong connector, or a takeover$/m)
    assert.match(page, /^SENDER DOMAIN CLASS ACCEPTED FIRST LAST$/m)
    assert.match(
      page,
      /^From header .*: 3 of 120 messages looked at named no accepted domain: bank.example \(2\), post.example \(1\)$/m,
    )
    assert.match(page, /^From header of bounces .*: 8 of 9 messages .*: lure.example \(8\)$/m)
    const found = (await cli.json('evidence', 'contoso')) as {
      null_header_from: { domains: { domain: string }[] }
      foreign: { domain: string; owner: string }[]
      header_from: { mismatched: number }
      domains: { value: string; class: string }[]
    }
    assert.deepEqual(
      found.foreign.map(({ domain, owner }) => [domain, owner]),
      [['news.fabrikam.com', 'fabrikam']],
    )
    assert.equal(found.header_from.mismatched, 3)
    assert.equal(found.null_header_from.domains[0]?.domain, 'lure.example')
    assert.deepEqual(
      found.domains.map((each) => [each.value, each.class]),
      [
        ['lure.example', 'unregistered'],
        ['news.fabrikam.com', 'foreign'],
      ],
    )
  })

  it('prints JSON for programs', async () => {
    const { cli, store } = await site()
    const event = trip(1)
    await record(store, 'contoso', { at: event.at, accepted: 3 })
    await freeze(store, event)
    const found = (await cli.json('evidence', 'contoso')) as Record<string, unknown>
    assert.deepEqual(Object.keys(found), [
      ...['tenant', 'case', 'frozen_at', 'node', 'event', 'mode', 'limits'],
      ...[
        'windows',
        'null_windows',
        'forwarded_windows',
        'hours',
        'minutes',
        'minutes_complete',
        'domains',
        'connectors',
        'ips',
        'users',
      ],
      ...['other_domains', 'foreign', 'header_from', 'null_header_from', 'samples', 'changes'],
    ])
    assert.deepEqual(found['event'], {
      id: 'evt_1',
      at: new Date(event.at).toISOString(),
      by: 'automatic',
      reason: 'allowance of 300/1h exceeded',
      scope: 'unregistered',
      trigger: {
        ...{ window: '1h', limit: 300, used: 300 },
        ...{ domain: 'lure.example', connector: 'contoso/exchange', ip: '192.0.2.10' },
      },
      windows: [
        { window: '1h', limit: 300, used: 300 },
        { window: '1d', limit: 1500, used: 411 },
      ],
      probation: false,
    })
    const [domain] = found['domains'] as { value: string; recipients: { accepted: number } }[]
    assert.deepEqual([domain?.value, domain?.recipients.accepted], ['lure.example', 3])
  })

  it('ends with 3 where there is none', async () => {
    const { cli, store } = await site()
    const { client, keys } = store
    const error = async (name: string): Promise<string> => {
      const result = await cli.run('evidence', name)
      assert.equal(result.status, 3, name)
      return errorOf(result)
    }
    assert.match(await error('nobody'), /there is no tenant "nobody"/)
    assert.match(await error('contoso'), /contoso has had no case: it was never restricted/)
    assert.match(await error('contoso:1'), /there is no case contoso:1; contoso has had none/)
    await cli.given('block contoso --reason test')
    assert.match(
      await error('contoso'),
      /no evidence of contoso:1: a running Haraka gathers it within seconds of the restriction/,
    )
    assert.match(await error('contoso:2'), /no case contoso:2; the latest is contoso:1/)
    await client.hset(keys.caseOf('contoso', 1), 'closed', '1\tann\tdone')
    assert.match(await error('contoso:1'), /contoso:1 now: it is kept for 30 days after/)
    for (const name of ['', ':1', 'contoso:0', 'contoso:x', 'contoso:1:2', 'No Id']) {
      assert.equal((await cli.run('evidence', name)).status, 2, name)
    }
  })

  it('prints no control sequences from outside', async () => {
    const { cli, store } = await site()
    const source = { connector: HOSTILE, ip: HOSTILE, user: HOSTILE, domain: HOSTILE }
    const event = trip(1, {
      reason: HOSTILE,
      trigger: { window: 1000, limit: 1, used: 1, ...source },
    })
    await record(store, 'contoso', { ...source, at: event.at, accepted: 3 })
    await recordSamples(store, 'contoso', event.at, source, ['\u001b[2Jforged', HOSTILE])
    await freeze(store, event)
    for (const format of [[], ['--json']]) {
      const { out, status } = await cli.run('evidence', 'contoso', ...format)
      assert.equal(status, 0)
      assert.ok(out.includes('forged'), out)
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(out, /[\u001b\u009b\u202e]|^forged/m)
    }
  })
})

/** The same with a field more in each object, as later versions may write. */
function planted(value: unknown, word: string): unknown {
  if (Array.isArray(value)) return value.map((each) => planted(each, word))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, each]) => [key, planted(each, word)])
  return { ...Object.fromEntries(entries), later: word }
}

describe('tenantctl evidence --for-tenant', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  it('has the mail of the tenant, and no other tenant, operator or reason', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'connector add contoso exchange --ip 192.0.2.10')
    const store = new Store(redis.client(), new Keys(cli.prefix))
    const { client, keys } = store
    const event = trip(1, { by: 'mallory', reason: 'a secret reason' })
    const source = { connector: 'contoso/exchange', ip: '192.0.2.10', user: 'bob' }
    await record(
      store,
      'contoso',
      { ...source, at: event.at, accepted: 290 },
      { ...source, at: event.at, accepted: 5, class: 'registered' },
      { ...source, at: event.at, accepted: 7, class: 'foreign', domain: 'news.example' },
      { ...source, at: event.at, accepted: 3, class: 'foreign' },
    )
    await recordHeaderFrom(store, 'contoso', {
      ...{ at: event.at, looked: 5, mismatched: { 'bank.example': 2 } },
    })
    const sample = ['<1@lure.example>', 'mail.example'] as const
    await recordSamples(store, 'contoso', event.at, { ...source, class: 'foreign' }, sample)
    const change = [
      event.at,
      'mallory',
      'tenantctl',
      'contoso/x',
      'added',
      '',
      'fabrikam',
      'mallory',
    ]
    await client.lpush(keys.audit('contoso'), change.join('\t'))
    await freeze(store, event)
    const key = keys.evidence('contoso', 1)
    const kept = JSON.parse((await client.get(key)) ?? '') as object
    await client.set(
      key,
      JSON.stringify(planted({ ...kept, node: { host: 'mallory' } }, 'fabrikam')),
    )

    const others = /fabrikam|mallory|secret|foreign|belongs/i
    // The names are in what operators see.
    assert.match((await cli.run('evidence', 'contoso')).out, /mallory: a secret reason/)
    const { out, status } = await cli.run('evidence', 'contoso', '--for-tenant')
    assert.equal(status, 0)
    assert.doesNotMatch(out, others)
    const page = out.replace(/ +/g, ' ')
    assert.match(page, /^case contoso:1$/m)
    assert.match(page, /^trigger 300 in 1h reached, from lure.example/m)
    assert.match(page, /^meter then 300 of 300 in 1h, 411 of 1500 in 1d$/m)
    assert.match(page, /^lure.example 293\/293 /m)
    assert.match(page, /^news.example 7\/7 /m)
    assert.match(page, /^From header .*: bank.example \(2\)$/m)
    assert.match(page, /lure.example 192.0.2.10 bob mail.example <1@lure.example>$/m)

    const found = (await cli.json('evidence', 'contoso', '--for-tenant')) as Record<string, unknown>
    assert.doesNotMatch(JSON.stringify(found), others)
    assert.deepEqual(Object.keys(found), [
      ...['tenant', 'case', 'restricted_at', 'scope', 'trigger', 'windows', 'hours', 'minutes'],
      ...['domains', 'connectors', 'ips', 'users', 'other_domains'],
      ...['header_from', 'null_header_from', 'samples'],
    ])
    type Shown = { class: string; recipients: { accepted: number } }
    const [hour] = found['hours'] as Record<string, Shown>[]
    assert.equal(hour?.['unregistered']?.recipients.accepted, 300)
    assert.deepEqual(
      (found['minutes'] as Shown[]).map((each) => [each.class, each.recipients.accepted]).sort(),
      [
        ['registered', 5],
        ['unregistered', 300],
      ],
    )
  })
})
