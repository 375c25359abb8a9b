import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DAY, HOUR } from '../../src/reporting/calendar'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { TestDns } from '../support/dns'
import { startRedis, type TestRedis } from '../support/redis'
import { record, type Mail } from '../support/reports'
import { Cli, errorOf } from './cli'

interface View {
  readonly trip: string | null
  readonly domains: {
    readonly domain: string
    readonly class: string
    readonly score: number
    readonly reasons: { readonly points: number; readonly text: string }[]
    readonly recipients: number
    readonly days: number
  }[]
  readonly never: { readonly domain: string; readonly recipients: number; readonly why: string }[]
  readonly others: number
  readonly dns: { readonly away: boolean; readonly looked_up: number; readonly missing: number }
  readonly command: string | null
}

interface Likened {
  readonly like: string | null
  readonly likeness: number | null
  readonly imitates: string | null
  readonly connectors: readonly string[]
}

describe('tenantctl suggest', () => {
  let redis: TestRedis
  let dns: TestDns
  before(async () => {
    redis = await startRedis()
    const contoso = {
      mx: ['mx.contoso.com'],
      a: ['192.0.2.80'],
      txt: ['v=spf1 include:_spf.contoso.com -all'],
    }
    dns = await TestDns.start({
      'contoso.com': contoso,
      'contoso.de': contoso,
      'news.contoso.com': { a: ['192.0.2.81'] },
      '_spf.contoso.com': { txt: ['v=spf1 ip4:192.0.2.0/24'] },
      '_dmarc.contoso.de': { txt: ['v=DMARC1; p=reject; rua=mailto:dmarc@contoso.com'] },
      // An intruder can fill a zone too.
      'contoso-billing.com': contoso,
      '_dmarc.contoso-billing.com': { txt: ['v=DMARC1; rua=mailto:dmarc@contoso.com'] },
    })
  })
  after(() => Promise.all([redis.stop(), dns.stop()]))

  // What is newer is never ranked as abuse.
  const now = Date.now() - 2 * HOUR
  /** Mail on each day of a range, in days ago. */
  const daily = (domain: string, from: number, to: number, accepted = 5): Mail[] =>
    Array.from({ length: from - to + 1 }, (_, at) => ({
      domain,
      accepted,
      at: now - (from - at) * DAY,
    }))

  async function site(): Promise<{ cli: Cli; store: Store }> {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso',
      'domain add contoso contoso.com',
      'domain add contoso agency-customer.example --shared',
      'connector add contoso mx --ip 192.0.2.1',
      'tenant add fabrikam',
      'domain add fabrikam fabrikam.com',
    )
    const store = new Store(redis.client(), new Keys(cli.prefix))
    await record(
      store,
      'contoso',
      ...daily('contoso.de', 40, 1),
      ...daily('news.contoso.com', 30, 25),
      ...daily('contoso-billing.com', 1, 0, 400),
      ...daily('gmail.com', 40, 1),
      ...daily('fabrikam.com', 40, 38),
      ...daily('corp.local', 20, 18),
      ...daily('contoso.com', 40, 30),
      ...daily('(other)', 3, 1),
      ...Array.from({ length: 12 }, (_, at) => daily(`xqkzvwpt${at}.com`, 0, 0, 30)).flat(),
    )
    return { cli, store }
  }

  const suggest = async (cli: Cli, ...more: string[]): Promise<View> =>
    (await cli.json('suggest', 'contoso', '--dns', dns.address, ...more)) as View

  it('ranks what was recorded, and ends with the command that adds what is own', async () => {
    const { cli } = await site()
    const view = await suggest(cli)
    assert.equal(view.trip, null)
    assert.equal(view.command, 'tenantctl domain add contoso contoso.de news.contoso.com')
    const classes = Object.fromEntries(view.domains.map((each) => [each.domain, each.class]))
    assert.equal(classes['contoso.de'], 'own')
    assert.equal(classes['news.contoso.com'], 'own')
    assert.equal(classes['contoso-billing.com'], 'unclear')
    assert.equal(classes['xqkzvwpt3.com'], 'abuse')
    assert.equal(view.domains.length, 15)
    const [own] = view.domains
    const { like, likeness, imitates, connectors } = view.domains[0] as unknown as Likened
    assert.deepEqual(
      [like, likeness, imitates, connectors],
      ['contoso.com', 0.95, null, ['contoso/mx']],
    )
    assert.equal(own?.recipients, 200)
    assert.equal(own.days, 40)
    assert.equal(
      own.reasons.reduce((sum, { points }) => sum + points, 0),
      own.score,
    )
    const texts = own.reasons.map(({ text }) => text).join('; ')
    for (const part of [
      /called contoso/,
      /SPF includes _spf\.contoso\.com/,
      /SPF lets 192\.0\.2\.1\/32 of a connector send/,
      /DMARC reports go to contoso\.com/,
      /MX is mx\.contoso\.com/,
      /seen on 40 days/,
      /steady/,
    ]) {
      assert.match(texts, part)
    }
    assert.deepEqual(
      view.never.map(({ domain }) => domain),
      ['gmail.com', 'corp.local', 'fabrikam.com'],
    )
    assert.match(view.never[0]?.why ?? '', /mailbox provider/)
    assert.match(view.never[1]?.why ?? '', /outside the public DNS.*--shared/)
    assert.equal(view.never[2]?.why, 'tenant fabrikam owns it')
    assert.deepEqual(view.dns, { away: false, looked_up: 15, missing: 0 })

    // The printed command works.
    await cli.given(view.command.replace(/^tenantctl /, ''))
    const later = await suggest(cli)
    assert.equal(later.command, null)
    assert.ok(later.domains.every((each) => each.class !== 'own'))
  })

  it('prints the ranking in words', async () => {
    const { cli } = await site()
    const { out, status } = await cli.run('suggest', 'contoso', '--dns', dns.address)
    assert.equal(status, 0)
    const table = out.replace(/ +/g, ' ').replace(/\d{4}-\d\d-\d\d \d\d:\d\dZ/g, 'SINCE')
    assert.match(
      table,
      new RegExp(
        [
          '^DOMAIN LIKE CONNECTOR SINCE RECIPIENTS VERDICT',
          'news.contoso.com 100 % contoso.com mx SINCE 30 own',
          'contoso.de 95 % contoso.com mx SINCE 200 own',
          'contoso-billing.com - mx SINCE 800 unclear',
          'xqkzvwpt0.com - mx SINCE 30 abuse',
        ].join('\n'),
        'm',
      ),
    )
    assert.match(table, /^gmail.com - mx SINCE 200 never$/m)
    assert.match(out, /^The reasons: tenantctl suggest contoso --why$/m)
    const { out: why } = await cli.run('suggest', 'contoso', '--dns', dns.address, '--why')
    assert.match(
      why,
      /^own {2}contoso\.de {2}\+\d+ {2}\(200 recipients, 40 days, .*\)\n {3}\+30 {2}called contoso/m,
    )
    assert.match(why, /^ {5}0 {2}first seen 1 day ago, not 14: never ranked as own/m)
    assert.match(why, /^abuse {2}and 7 domains more; --json has all$/m)
    assert.match(why, /^never {2}gmail\.com: a mailbox provider/m)
    assert.match(out, /DKIM does not help here/)
    assert.match(
      out,
      /To register what is ranked as own.*\n {2}tenantctl domain add contoso contoso\.de news\.contoso\.com\n$/,
    )
  })

  it('uses the last restriction, in effect or recorded in a case', async () => {
    const { cli, store } = await site()
    const trip = now - 20 * DAY
    await store.client.hset(store.keys.tenant('contoso'), 'cases', 2)
    await store.client.hset(store.keys.caseOf('contoso', 2), 'opened', trip)
    const view = await suggest(cli)
    assert.equal(view.trip, new Date(trip).toISOString())
    // news.contoso.com was first seen ten days before.
    assert.equal(view.command, 'tenantctl domain add contoso contoso.de')
    await cli.given('block contoso --reason test')
    assert.equal(
      (await suggest(cli)).command,
      'tenantctl domain add contoso contoso.de news.contoso.com',
    )
  })

  it('ranks without DNS where no resolver answers, and says so', async () => {
    const { cli } = await site()
    const nobody = await TestDns.start({})
    const address = nobody.address
    await nobody.stop()
    const view = (await cli.json('suggest', 'contoso', '--dns', address)) as View
    assert.equal(view.dns.away, true)
    assert.equal(view.command, 'tenantctl domain add contoso contoso.de news.contoso.com')
    const { out } = await cli.run('suggest', 'contoso', '--dns', address)
    assert.match(out, /DNS does not answer: ranked by name and mail alone/)
  })

  it('suggests nothing for a tenant without unregistered mail, and asks DNS nothing', async () => {
    const { cli } = await site()
    const from = dns.asked.length
    const view = (await cli.json('suggest', 'fabrikam', '--dns', dns.address)) as View
    assert.deepEqual([view.domains, view.never, view.command], [[], [], null])
    assert.equal(dns.asked.length, from)
    const { out } = await cli.run('suggest', 'fabrikam')
    assert.match(out, /^fabrikam has sent from no unregistered domain since/)
  })

  it('asks DNS about the hundred domains with the most recipients', async () => {
    const { cli, store } = await site()
    const more = Array.from({ length: 120 }, (_, at) => daily(`shop${at}.example`, 5, 5, 1000 - at))
    await record(store, 'contoso', ...more.flat())
    const from = dns.asked.length
    const view = await suggest(cli)
    assert.equal(view.dns.looked_up, 100)
    assert.equal(view.domains.length, 135)
    const asked = new Set(dns.asked.slice(from))
    assert.ok(asked.has('MX shop0.example') && !asked.has('MX shop119.example'))
  })

  it('ends with 3 for an unknown tenant, and with 2 for an invalid resolver', async () => {
    const { cli } = await site()
    assert.equal((await cli.run('suggest', 'gone')).status, 3)
    const wrong = await cli.run('suggest', 'contoso', '--dns', 'dns.example')
    assert.equal(wrong.status, 2)
    assert.match(errorOf(wrong), /--dns takes the address/)
  })
})

describe('tenantctl domain add', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  it('refuses a mailbox provider without --force, shared or not, with 4, and adds nothing', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    for (const line of ['contoso.com gmail.com', 'gmail.com --shared', 'x.outlook.com']) {
      const result = await cli.run('domain', 'add', 'contoso', ...line.split(' '))
      assert.equal(result.status, 4, line)
      assert.match(
        errorOf(result),
        /(?:gmail|outlook)\.com: anybody.*mailbox provider.*--force/,
        line,
      )
    }
    assert.deepEqual(await cli.json('domain', 'list', 'contoso'), [])
    await cli.given('domain add contoso gmail.com --shared --force')
    // A repetition succeeds.
    await cli.given('domain add contoso gmail.com --shared')
    assert.equal((await cli.run('domain', 'add', 'gone', 'contoso.com')).status, 3)
  })
})
