import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { DAY, HOUR } from '../../src/reporting/calendar'
import { startRedis, type TestRedis } from '../support/redis'
import { record, recordHeaderFrom, recordSamples } from '../support/reports'
import { Cli, errorOf } from './cli'

const TODAY = Math.floor(Date.now() / DAY) * DAY
/** Not today: the hour used may be in the future. */
const YESTERDAY = TODAY - DAY

const EXCHANGE = { connector: 'contoso/exchange', ip: '192.0.2.10' }
const HOSTILE = '\u001b[2J\u202ex\nforged\u009b31m'

function day(ago: number): string {
  return new Date(TODAY - ago * DAY).toISOString().slice(0, 10)
}

interface View {
  tenants: { tenant: string; share: number | null; other_domains: number }[]
  rows: (Record<string, unknown> & {
    messages: Record<string, number>
    recipients: Record<string, number>
    ips: string[]
    samples: { message_id: string; helo: string }[]
  })[]
}

describe('tenantctl report', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  /** A tenant with days of its own shop mail, and a night of spam. */
  async function site(): Promise<{ cli: Cli; store: Store }> {
    const cli = new Cli(redis.url)
    const store = new Store(redis.client(), new Keys(cli.prefix))
    await cli.given('tenant add contoso', 'tenant add fabrikam')
    for (const ago of [3, 1]) {
      await record(
        store,
        'contoso',
        {
          ...EXCHANGE,
          at: TODAY - ago * DAY + 9 * HOUR,
          domain: 'contoso-shop.example',
          accepted: 20,
          messages: { accepted: 10 },
        },
        { at: TODAY - ago * DAY + 10 * HOUR, class: 'registered', accepted: 150 },
      )
    }
    const night = YESTERDAY + 23 * HOUR
    await record(
      store,
      'contoso',
      { ...EXCHANGE, at: night, domain: 'lure.example', accepted: 20, messages: { accepted: 2 } },
      {
        ...{ ...EXCHANGE, ip: '198.51.100.7', user: 'bob', at: night + 60_000 },
        ...{ domain: 'lure.example', refused: 3, messages: { refused: 40 }, deferred: 1 },
      },
      {
        ...{ at: night, connector: 'contoso/exchange', domain: '(other)', ip: '(other)' },
        ...{ user: '(other)', accepted: 10 },
      },
      { at: night, class: 'null', accepted: 0, refused: 2 },
    )
    const names = Array.from({ length: 500 }, (_, at) => `x${at}.example`)
    const report = store.keys.reportDay('contoso', YESTERDAY / DAY)
    await store.client.pfadd(store.keys.reportOthers(report), ...names)
    await recordSamples(
      store,
      'contoso',
      YESTERDAY,
      { ...EXCHANGE, domain: 'lure.example' },
      ['<1@lure.example>', 'mail.lure.example'],
      ['<2@lure.example>', 'mail.lure.example'],
    )
    return { cli, store }
  }

  it("shows what Exchange Online's report does: date, connector, sender domain, count, samples", async () => {
    const { cli } = await site()
    const { out } = await cli.run('report', 'contoso')
    assert.equal(
      out.replace(/about \d+ domains/g, 'about N domains').replace(/ +/g, ' '),
      `DATE CONNECTOR SENDER DOMAIN ACCEPTED DEFERRED REFUSED OF ALL FIRST LAST IPS SAMPLES
${day(3)} contoso/exchange contoso-shop.example 10/20 0/0 0/0 11.8 % 09:00Z 09:00Z 192.0.2.10
${day(1)} contoso/exchange lure.example 2/20 1/1 40/3 10.0 % 23:00Z 23:01Z 192.0.2.10, 198.51.100.7 <2@lure.example> +1
${day(1)} contoso/exchange contoso-shop.example 10/20 0/0 0/0 10.0 % 09:00Z 09:00Z 192.0.2.10
${day(1)} contoso/exchange (other): about N domains 10/10 0/0 0/0 5.0 % 23:00Z 23:00Z

contoso from ${day(6)} to ${day(0)}: 32/70 accepted, 18.9 % of all accepted recipients; registered 300/300; (other) is about N domains
Counts are messages/recipients.
`,
    )
  })

  it('adds up by domain, connector, address and AUTH user, with shares of all mail', async () => {
    const { cli } = await site()
    const rows = async (by: string): Promise<unknown[][]> =>
      ((await cli.json('report', 'contoso', '--by', by)) as View).rows.map((row) => [
        row[by],
        row.recipients['accepted'],
        row.messages['refused'],
        row['share'],
      ])
    const domains = await rows('domain')
    assert.deepEqual(domains, [
      ['contoso-shop.example', 40, 0, 40 / 370],
      ['lure.example', 20, 40, 20 / 370],
      ['(other)', 10, 0, 10 / 370],
    ])
    assert.deepEqual(await rows('connector'), [['contoso/exchange', 70, 40, 70 / 370]])
    assert.deepEqual(await rows('ip'), [
      ['192.0.2.10', 60, 0, 60 / 370],
      ['198.51.100.7', 0, 40, 0],
      ['(other)', 10, 0, 10 / 370],
    ])
    assert.deepEqual(
      (await rows('user')).map(([user]) => user),
      ['', 'bob', '(other)'],
    )
  })

  it('adds up by day and hour, next to registered mail and the null sender', async () => {
    const { cli } = await site()
    const { out } = await cli.run('report', 'contoso', '--by', 'day')
    assert.match(out, /^DATE +ACCEPTED +DEFERRED +REFUSED +OF ALL +REGISTERED +NULL SENDER +FIRST/)
    assert.match(out, new RegExp(`^${day(1)} +22/50 +1/1 +40/3 +25\\.0 % +150/150 +0/0 `, 'm'))
    const { rows } = (await cli.json('report', 'contoso', '--by', 'hour', '--days', '2')) as View
    assert.deepEqual(
      rows.map((row) => [row['hour'], row.recipients['accepted'], row['share']]),
      [
        [`${day(1)}T09:00Z`, 20, 1],
        [`${day(1)}T10:00Z`, 0, 0],
        [`${day(1)}T23:00Z`, 30, 1],
      ],
    )
    assert.equal((rows[1]!['registered'] as View['rows'][0]).recipients['accepted'], 150)
  })

  it('shows only what passes all filters, and still shares of all mail', async () => {
    const { cli } = await site()
    const where = ['--where', 'domain^=lure', '--where', 'connector=exchange']
    const { tenants, rows } = (await cli.json('report', 'contoso', ...where)) as View
    assert.equal(rows.length, 1)
    assert.equal(tenants[0]?.share, 20 / 370)
    assert.equal(tenants[0]?.other_domains, 0)
    assert.deepEqual(rows[0]?.samples, [
      { message_id: '<2@lure.example>', helo: 'mail.lure.example' },
      { message_id: '<1@lure.example>', helo: 'mail.lure.example' },
    ])
    const hours = await cli.run('report', 'contoso', '--by', 'hour', ...where, '--days', '2')
    assert.match(
      hours.out,
      new RegExp(`^${day(1)}T23:00Z +2/20 +1/1 +40/3 +66\\.7 % +lure\\.example +192`, 'm'),
    )
  })

  it('uses rows of hours where times are given', async () => {
    const { cli } = await site()
    const from = `${day(1)}T08:00Z`
    const view = (await cli.json(
      ...['report', 'contoso', '--by', 'domain', '--from', from, '--to', `${day(1)}T12:00Z`],
    )) as View
    assert.deepEqual(
      view.rows.map((row) => [row['domain'], row.recipients['accepted'], row['share']]),
      [['contoso-shop.example', 20, 20 / 170]],
    )
  })

  it('says so where requested hours are no longer kept', async () => {
    const { cli } = await site()
    const byHour = ['report', 'contoso', '--by', 'hour', '--days', '20']
    assert.equal((await cli.run(...byHour)).status, 0)
    const filtered = await cli.run(...byHour, '--where', 'domain=lure.example')
    assert.equal(filtered.status, 2)
    assert.match(errorOf(filtered), /kept by the hour for 8 days, since \S+; ask from then on/)
    const whole = await cli.run('report', 'contoso', '--from', `${day(20)}T08:00Z`)
    assert.equal(whole.status, 0)
    assert.match(errorOf(whole), /kept by the hour since \S+ only: whole days are shown/)
    assert.match(whole.out, new RegExp(`^contoso from ${day(20)} to`, 'm'))
  })

  it('says about how many domains (other) sums up', async () => {
    const { cli } = await site()
    const { tenants, rows } = (await cli.json('report', 'contoso')) as View
    const distinct = rows.find((row) => row['domain'] === '(other)')?.['distinct_domains']
    assert.ok(Math.abs(Number(distinct) - 500) < 25, String(distinct))
    assert.equal(tenants[0]?.other_domains, distinct)
    const mixed = (await cli.json('report', 'contoso', '--where', 'user=(other)')) as View
    assert.equal(mixed.rows[0]?.['distinct_domains'], null)
  })

  it('covers all tenants that have any, or one removed tenant', async () => {
    const { cli, store } = await site()
    await record(store, 'fabrikam', { at: YESTERDAY, connector: 'fabrikam/mx', accepted: 1 })
    await record(store, 'tailspin', { at: TODAY - 20 * DAY, accepted: 1 })
    const { out } = await cli.run('report', '--by', 'connector')
    assert.match(out, /^TENANT +CONNECTOR +ACCEPTED/)
    assert.match(out, /^contoso +contoso\/exchange +32\/70/m)
    assert.match(out, /^fabrikam +fabrikam\/mx +1\/1/m)
    assert.doesNotMatch(out, /tailspin/)
    const gone = (await cli.json('report', 'tailspin', '--days', '30')) as View
    assert.equal(gone.rows.length, 1)
    assert.equal((await cli.run('report', 'nobody')).status, 3)
  })

  /** The same tenant with foreign mail, forwards, and header Froms. */
  async function mixedSite(): Promise<Cli> {
    const { cli, store } = await site()
    const at = YESTERDAY + 12 * HOUR
    await record(
      store,
      'contoso',
      { ...EXCHANGE, at, class: 'foreign', domain: 'news.fabrikam.com', accepted: 4 },
      { ...EXCHANGE, at, class: 'forwarded', domain: 'news.fabrikam.com', accepted: 6 },
      { ...EXCHANGE, at, class: 'forwarded', domain: 'shop.example', accepted: 8 },
    )
    const mismatched = { 'bank.example': 2, '': 1 }
    const bounces = { of: 'null', looked: 9, mismatched: { 'lure.example': 8 } } as const
    await recordHeaderFrom(store, 'contoso', { at, looked: 120, mismatched }, { at, ...bounces })
    return cli
  }

  it('separates unregistered, foreign and forwarded mail, and names the owners of foreign domains', async () => {
    const cli = await mixedSite()
    const { out } = await cli.run('report', 'contoso', '--by', 'domain')
    assert.equal(
      out
        .replace(/about \d+ domains/g, 'about N domains')
        .replace(/ +/g, ' ')
        .replace(/\d{4}-\d\d-\d\d \d\d:\d\dZ/g, 'TIME'),
      `SENDER DOMAIN CLASS ACCEPTED DEFERRED REFUSED OF ALL FIRST LAST BELONGS TO IPS SAMPLES
contoso-shop.example unregistered 20/40 0/0 0/0 10.3 % TIME TIME 192.0.2.10
lure.example unregistered 2/20 1/1 40/3 5.2 % TIME TIME 192.0.2.10, 198.51.100.7 <2@lure.example> +1
shop.example forwarded 8/8 0/0 0/0 2.1 % TIME TIME 192.0.2.10
news.fabrikam.com forwarded 6/6 0/0 0/0 1.5 % TIME TIME 192.0.2.10
news.fabrikam.com foreign 4/4 0/0 0/0 1.0 % TIME TIME fabrikam 192.0.2.10
(other): about N domains unregistered 10/10 0/0 0/0 2.6 % TIME TIME

contoso from ${day(6)} to ${day(0)}: 50/88 accepted, 22.7 % of all accepted recipients, among them foreign 4/4, forwarded 14/14; registered 300/300; (other) is about N domains
From header from ${day(6)} to ${day(0)}: 3 of 120 messages looked at named no accepted domain: bank.example (2), (no domain) (1)
From header of bounces (null sender) from ${day(6)} to ${day(0)}: 8 of 9 messages looked at named no accepted domain: lure.example (8)
Counts are messages/recipients.
`,
    )
  })

  it('shows a single class, and adds up by class', async () => {
    const cli = await mixedSite()
    const rows = async (...args: string[]): Promise<unknown[]> =>
      ((await cli.json('report', 'contoso', ...args)) as View).rows.map((row) => [
        ...[row['class'], row['domain'] ?? null, row.recipients['accepted'], row['owners']],
      ])
    assert.deepEqual(await rows('--class', 'foreign'), [
      ['foreign', 'news.fabrikam.com', 4, ['fabrikam']],
    ])
    assert.deepEqual(await rows('--by', 'domain', '--where', 'class=forwarded'), [
      ['forwarded', 'shop.example', 8, []],
      ['forwarded', 'news.fabrikam.com', 6, []],
    ])
    assert.deepEqual(await rows('--by', 'class'), [
      ['unregistered', null, 70, []],
      ['forwarded', null, 14, []],
      ['foreign', null, 4, ['fabrikam']],
    ])
    const { tenants } = (await cli.json('report', 'contoso', '--class', 'forwarded')) as View
    const [{ share, ...found }] = tenants as unknown as [Record<string, unknown>]
    assert.equal((share as number).toFixed(4), (14 / 388).toFixed(4))
    assert.equal(found['header_from'], null)
    const none = await cli.run('report', 'fabrikam', '--class', 'foreign')
    assert.match(none.out, /^no foreign mail recorded from/)
  })

  it('has all classes of each hour and day', async () => {
    const cli = await mixedSite()
    const { out } = await cli.run('report', 'contoso', '--by', 'day')
    assert.match(out, /^DATE .* FOREIGN +FORWARDED +REGISTERED +NULL SENDER/)
    assert.match(out, new RegExp(`^${day(1)} .* 4/4 +14/14 +150/150 +0/0`, 'm'))
    const { rows } = (await cli.json('report', 'contoso', '--by', 'hour')) as View
    const noon = rows.find((row) => row['hour'] === `${day(1)}T12:00Z`)
    const accepted = (of: string): unknown =>
      (noon?.[of] as { recipients: { accepted: number } }).recipients.accepted
    assert.deepEqual([accepted('foreign'), accepted('forwarded')], [4, 14])
  })

  it('shows header Froms though there is nothing else', async () => {
    const { cli, store } = await site()
    const at = YESTERDAY + HOUR
    const mismatched = { 'bank.example': 3 }
    await recordHeaderFrom(store, 'fabrikam', { at, looked: 7, mismatched })
    const one = await cli.run('report', 'fabrikam', '--from', day(1), '--to', day(1))
    assert.equal(
      one.out,
      `no unregistered mail recorded from ${day(1)} to ${day(1)}
From header on ${day(1)}: 3 of 7 messages looked at named no accepted domain: bank.example (3)
`,
    )
    const all = await cli.run('report')
    assert.match(all.out, /^fabrikam: From header from .*: 3 of 7 messages/m)
    const { tenants } = (await cli.json('report', 'fabrikam')) as View
    const [found] = tenants as unknown as [{ header_from: Record<string, unknown> }]
    assert.deepEqual(found.header_from['domains'], [
      { domain: 'bank.example', connector: 'contoso/mx', messages: 3 },
    ])
  })

  it('says so where there is none', async () => {
    const { cli } = await site()
    const { out, status } = await cli.run('report', 'fabrikam')
    assert.equal(status, 0)
    assert.equal(out, `no unregistered mail recorded from ${day(6)} to ${day(0)}\n`)
    const { tenants, rows } = (await cli.json('report', 'fabrikam')) as View
    assert.deepEqual([tenants[0]?.share, rows], [null, []])
  })

  it('prints CSV without formulas', async () => {
    const { cli, store } = await site()
    const domain = '=cmd|calc'
    const source = { connector: '@sum', ip: '+1', user: '-2', domain }
    await record(store, 'fabrikam', { ...source, at: YESTERDAY, accepted: 1 })
    await recordSamples(store, 'fabrikam', YESTERDAY, source, ['=1,"2"', 'x'])
    const { out } = await cli.run('report', 'fabrikam', '--csv')
    const [head, row, end] = out.split('\r\n')
    assert.equal(
      head,
      'tenant,day,connector,domain,class,messages_accepted,messages_deferred,messages_refused,messages_refunded,recipients_accepted,recipients_deferred,recipients_refused,recipients_refunded,first_seen,last_seen,share_percent,ips,domains,distinct_domains,samples,owners',
    )
    const time = new Date(YESTERDAY).toISOString()
    assert.equal(
      row,
      `fabrikam,${day(1)},'@sum,'=cmd|calc,unregistered,1,0,0,0,1,0,0,0,${time},${time},100,'+1,,,"'=1,""2""",`,
    )
    assert.equal(end, '')
    const byUser = await cli.run('report', 'fabrikam', '--csv', '--by', 'user')
    assert.match(byUser.out, /\r\nfabrikam,'-2,/)
  })

  it('prints no control sequences from outside in any column', async () => {
    const { cli, store } = await site()
    const source = { connector: HOSTILE, ip: HOSTILE, user: HOSTILE, domain: HOSTILE }
    await record(store, 'fabrikam', { ...source, at: YESTERDAY, accepted: 1 })
    await recordSamples(store, 'fabrikam', YESTERDAY, source, [HOSTILE.replace('\n', ''), HOSTILE])
    for (const by of ['', 'domain', 'connector', 'ip', 'user', 'hour']) {
      const args = ['report', 'fabrikam', ...(by ? ['--by', by] : []), '--where', 'domain^=']
      for (const format of [[], ['--csv'], ['--json']]) {
        const { out, status } = await cli.run(...args, ...format)
        assert.equal(status, 0)
        assert.ok(out.includes('forged'), out)
        // eslint-disable-next-line no-control-regex
        assert.doesNotMatch(out, /[\u001b\u009b\u202e]|^forged/m)
      }
    }
  })

  it('ends with 2 for unknown options', async () => {
    const { cli } = await site()
    for (const [line, problem] of [
      ['report contoso --by helo', /--by "helo" is not one of domain, connector, /],
      ['report contoso --where helo=x', /"helo=x" is not a filter: write KEY=VALUE/],
      [
        'report contoso --class registered',
        /"registered" is not a class .* unregistered, foreign, fo/,
      ],
      ['report contoso --days 0', /--days "0" is not a whole number from 1 to 90/],
      ['report contoso --csv --json', /--csv or --json: one of them/],
    ] as const) {
      const result = await cli.run(...line.split(' '))
      assert.equal(result.status, 2, line)
      assert.match(errorOf(result), problem)
    }
  })
})
