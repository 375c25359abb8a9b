import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readTenantAudit } from '../../src/audit/reader'
import { ConnectorRegistry } from '../../src/registry/connector-registry'
import { DomainRegistry } from '../../src/registry/domain-registry'
import { TenantRegistry } from '../../src/registry/tenant-registry'
import { DAY, HOUR, MINUTE } from '../../src/reporting/calendar'
import type { Store } from '../../src/store/store'
import { newConsole, type ConsoleAtHand } from '../support/console'
import { useRedis } from '../support/registry'
import { packCounts, sourceField } from '../support/report-fields'
import { countsOf, record, recordSamples } from '../support/reports'

useRedis()

const TODAY = Math.floor(Date.now() / DAY) * DAY
const YESTERDAY = TODAY - DAY
const EXCHANGE = { connector: 'contoso/exchange', ip: '192.0.2.10' }

/** Two connectors, three classes, today and yesterday. */
async function site(): Promise<ConsoleAtHand> {
  const console = newConsole()
  const { store } = console
  for (const id of ['contoso', 'fabrikam']) {
    await new TenantRegistry(store).add(id, { name: id }, 'dora')
  }
  await new DomainRegistry(store).add(
    'contoso',
    [{ domain: 'contoso.com', subdomains: true, shared: false }],
    'dora',
  )
  await new ConnectorRegistry(store).add('contoso', 'exchange', { ip: ['192.0.2.10'] }, 'dora')
  const at = YESTERDAY + 9 * HOUR
  await record(
    store,
    'contoso',
    { ...EXCHANGE, at, domain: 'shop.example', accepted: 30, messages: { accepted: 20 } },
    {
      ...{ ...EXCHANGE, at: at + HOUR, domain: 'lure.example', ip: '198.51.100.7', user: 'bob' },
      ...{ refused: 3, messages: { refused: 40 }, deferred: 1 },
    },
    {
      ...{ ...EXCHANGE, at: TODAY, domain: 'news.fabrikam.com', class: 'foreign' },
      ...{ accepted: 2, messages: { accepted: 1 } },
    },
    { at: TODAY, connector: 'contoso/web', domain: 'lure.example', accepted: 7 },
    { at, class: 'registered', accepted: 100 },
  )
  await recordSamples(store, 'contoso', YESTERDAY, { ...EXCHANGE, domain: 'shop.example' }, [
    '<1@shop.example>',
    'mail.shop.example',
  ])
  return console
}

/** The cells of each row of the table with the most columns. */
function rowsIn(page: string): string[][] {
  const bodies = [...page.matchAll(/<tbody>(.*?)<\/tbody>/gs)].map(([, body]) =>
    [...body!.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row]) =>
      [...row!.matchAll(/<t[dh][^>]*>(.*?)<\/t[dh]>/gs)].map(([, cell]) =>
        cell!
          .replace(/<[^>]*>/g, '')
          .replace(/\s+/g, ' ')
          .trim(),
      ),
    ),
  )
  return bodies.toSorted((a, b) => (b[0]?.length ?? 0) - (a[0]?.length ?? 0))[0] ?? []
}

function headsIn(page: string): string[] {
  const table = page.slice(page.indexOf('<caption>'))
  return [...table.matchAll(/<th scope="col"[^>]*>(.*?)<\/th>/gs)].map(([, head]) => head!.trim())
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

async function changes(store: Store, what: string): Promise<string[]> {
  const entries = await readTenantAudit(store, 'contoso', 0)
  return entries.filter((each) => each.what === what).map(({ to, note }) => `${note}: ${to}`)
}

describe('the report of a tenant', () => {
  it('has the columns of Exchange Online first and in its order', async () => {
    const page = await (await site()).as('viewer').page('/tenants/contoso/report')
    const heads = headsIn(page.slice(page.lastIndexOf('<caption>')))
    assert.deepEqual(heads, [
      ...['Date', 'Inbound connector', 'Sender domain', 'Count', 'Sample messages'],
      ...['Class', 'Recipients', 'Address', 'User', 'First', 'Last'],
    ])
  })

  it('shows what came from where, the newest day first', async () => {
    const { as, faults } = await site()
    const rows = rowsIn(await as('viewer').page('/tenants/contoso/report'))
    assert.deepEqual(
      rows.map((row) => row.slice(0, 9)),
      [
        [day(TODAY), 'web', 'lure.example', '7', '-', 'unregistered', '7', '192.0.2.1', '-'],
        [day(TODAY), 'exchange', 'news.fabrikam.com', '1', '-', 'foreign', '2', '192.0.2.10', '-'],
        [
          ...[day(YESTERDAY), 'exchange', 'lure.example', '40', '-', 'unregistered', '40'],
          ...['198.51.100.7', 'bob'],
        ],
        [
          ...[day(YESTERDAY), 'exchange', 'shop.example', '20', '&lt;1@shop.example&gt;'],
          ...['unregistered', '30', '192.0.2.10', '-'],
        ],
      ],
    )
    assert.deepEqual(faults, [])
  })

  it('sorts by recipients where asked to', async () => {
    const page = await (await site()).as('viewer').page('/tenants/contoso/report?order=most')
    assert.deepEqual(
      rowsIn(page).map((row) => row[6]),
      ['40', '30', '7', '2'],
    )
  })

  for (const [query, domains] of [
    ['domain=lure.example', ['lure.example', 'lure.example']],
    ['domain=s&domain_is=start', ['shop.example']],
    ['connector=web', ['lure.example']],
    ['class=foreign', ['news.fabrikam.com']],
    ['days=1', ['lure.example', 'news.fabrikam.com']],
    [`from=${day(YESTERDAY)}&to=${day(YESTERDAY)}&days=7`, ['lure.example', 'shop.example']],
  ] as const) {
    it(`shows only what ${query} lets through`, async () => {
      const page = await (await site()).as('viewer').page(`/tenants/contoso/report?${query}`)
      assert.deepEqual(
        rowsIn(page).map((row) => row[2]),
        domains,
      )
    })
  }

  it('shows the command with the same filters', async () => {
    const query = 'days=2&class=unregistered&domain=lu&domain_is=start'
    const page = await (await site()).as('viewer').page(`/tenants/contoso/report?${query}`)
    assert.match(
      page,
      /<code>tenantctl report contoso --days 2 --where &#39;domain\^=lu&#39; --class unregistered<\/code>/,
    )
  })

  it('refuses a longer span than 90 days, and filters that are none', async () => {
    const viewer = (await site()).as('viewer')
    for (const [query, sentence] of [
      ['days=91', /90 days at most/],
      ['from=2020-01-01', /90 days at most/],
      ['days=x', /is not a whole number/],
      ['class=null', /is not a class with rows by sender/],
      ['from=yesterday', /is not a day or time/],
    ] as const) {
      const response = await viewer.get(`/tenants/contoso/report?${query}`)
      assert.equal(response.status, 400, query)
      assert.match(await response.text(), sentence)
    }
  })

  it('shows the first 500 rows, and says how many more there are', async () => {
    const { as, store } = await site()
    const counts = packCounts(countsOf({ at: YESTERDAY, accepted: 1 }))
    const rows = Array.from({ length: 510 }, (_, at) => [
      sourceField({ ...EXCHANGE, domain: `d${at}.example`, user: '' }),
      counts,
    ])
    const { client, keys } = store
    await client.hset(keys.reportDay('contoso', YESTERDAY / DAY), ...rows.flat())
    const page = await as('viewer').page('/tenants/contoso/report')
    assert.equal(rowsIn(page).length, 500)
    assert.match(page, /Left out: 14 more rows/)
  })

  it('says so where there was no such mail, and has no such tenant', async () => {
    const { as } = await site()
    assert.match(await as('viewer').page('/tenants/fabrikam/report'), /No such mail\. All mail of/)
    assert.equal((await as('viewer').get('/tenants/nosuch/report')).status, 404)
    assert.equal((await as('operator').post('/tenants/nosuch/report.csv')).status, 404)
    assert.equal((await as('operator').post('/tenants/No!/report.csv')).status, 400)
  })

  it('draws recipients by connector: each day, each hour, and each of the last minutes', async () => {
    const { as, store } = await site()
    const minute = Math.floor(Date.now() / MINUTE) * MINUTE - MINUTE
    await record(store, 'contoso', { ...EXCHANGE, at: minute, domain: 'lure.example', refused: 9 })
    const page = await as('viewer').page('/tenants/contoso/report')
    assert.match(page, /Recipients by day \(UTC\), by connector/)
    assert.match(page, new RegExp(`<title>${day(YESTERDAY)}: 70 recipients</title>`))
    const iso = new Date(minute).toISOString().slice(0, 16)
    assert.match(page, new RegExp(`<title>${iso}Z: 9 recipients</title>`))
    const hours = await as('viewer').page('/tenants/contoso/report?bars=hour')
    assert.match(hours, new RegExp(`<title>${day(YESTERDAY)}T10:00Z: 40 recipients</title>`))
  })

  it('offers an operator to block a connector and to register a domain, and a viewer neither', async () => {
    const { as } = await site()
    const page = await as('operator').page('/tenants/contoso/report')
    assert.match(page, /action="\/connectors\/contoso\/exchange\/block"/)
    assert.match(page, /href="\/tenants\/contoso\/register\?domain=lure.example"/)
    assert.doesNotMatch(page, /register\?domain=news.fabrikam.com/)
    const read = await as('viewer').page('/tenants/contoso/report')
    assert.doesNotMatch(read, /\/block"|register\?|report\.csv|report\/print/)
  })
})

describe('the report as CSV', () => {
  const lines = async (response: Response): Promise<string[]> =>
    (await response.text()).trimEnd().split('\r\n')

  it('has the rows of the page, and a last one that says what is left out', async () => {
    const { as } = await site()
    const response = await as('operator').post('/tenants/contoso/report.csv', {
      domain: 'shop.example',
    })
    assert.equal(response.headers.get('content-type'), 'text/csv; charset=utf-8')
    assert.equal(
      response.headers.get('content-disposition'),
      'attachment; filename="contoso-report.csv"',
    )
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    const seen = `${day(YESTERDAY)}T09:00:00.000Z`
    assert.deepEqual(await lines(response), [
      'date,inbound_connector,sender_domain,count,sample_messages,class,recipients,address,user,first,last',
      `${day(YESTERDAY)},exchange,shop.example,20,<1@shop.example>,unregistered,30,192.0.2.10,,${seen},${seen}`,
      'nothing is left out',
    ])
  })

  it('says how many domains have no row of their own', async () => {
    const { as, store } = await site()
    await record(store, 'contoso', { ...EXCHANGE, at: YESTERDAY, domain: '(other)', accepted: 5 })
    const report = store.keys.reportDay('contoso', YESTERDAY / DAY)
    await store.client.pfadd(store.keys.reportOthers(report), 'a.example', 'b.example')
    const all = await lines(await as('operator').post('/tenants/contoso/report.csv'))
    assert.equal(all.at(-1), 'left out: (other): about 2 domains without a row of their own')
  })

  it('has no formula for a spreadsheet', async () => {
    const { as, store } = await site()
    const source = { ...EXCHANGE, domain: 'lure.example', user: '=cmd|x' }
    await record(store, 'contoso', { ...source, at: TODAY, accepted: 1 })
    await recordSamples(store, 'contoso', TODAY, source, ['+1@x', 'x'])
    const text = await (
      await as('operator').post('/tenants/contoso/report.csv', { days: '1' })
    ).text()
    assert.match(text, /,'=cmd/)
    assert.match(text, /,'\+1@x,/)
  })

  it('is noted in the audit trail, by whom and with which filters', async () => {
    const { as, store } = await site()
    await as('operator', 'ann').post('/tenants/contoso/report.csv', { days: '1', class: 'foreign' })
    assert.deepEqual(await changes(store, 'report exported'), [
      'console:ann: 1 row, as tenantctl report contoso --days 1 --class foreign',
    ])
  })

  it('is not for a viewer, nor while nothing can be noted', async () => {
    const { as, store } = await site()
    assert.equal((await as('viewer').post('/tenants/contoso/report.csv')).status, 403)
    assert.deepEqual(await changes(store, 'report exported'), [])
    const readOnly = newConsole({}, { readOnly: () => Promise.resolve('another registry') }, {
      store,
    } as never)
    const response = await readOnly.as('operator').post('/tenants/contoso/report.csv')
    assert.equal(response.status, 409)
    assert.match(await response.text(), /is noted in the audit trail/)
  })
})

describe('the report for the tenant, on paper', () => {
  it('names no other tenant, no operator and no reason', async () => {
    const { as } = await site()
    const page = await as('operator', 'ann').page('/tenants/contoso/report/print')
    assert.match(page, /news\.fabrikam\.com/)
    for (const hidden of [/foreign/, /\bfabrikam\b(?!\.com)/, /\bann\b/, /dora/, /operator/]) {
      assert.doesNotMatch(page, hidden)
    }
    assert.match(page, /68 messages, 79 recipients\. Accepted:\s+28 messages, 39 recipients/)
  })

  it('adds up what a tenant is shown as one', async () => {
    const { as, store } = await site()
    await record(store, 'contoso', {
      ...{ ...EXCHANGE, at: TODAY, domain: 'news.fabrikam.com', accepted: 5, user: 'eve' },
    })
    const rows = rowsIn(await as('operator').page('/tenants/contoso/report/print?days=1'))
    assert.deepEqual(
      rows.filter((row) => row[2] === 'news.fabrikam.com').map((row) => row.slice(3, 9)),
      [['6', '-', 'unregistered', '7', '192.0.2.10', 'eve']],
    )
  })

  it('does not let a filter say which domains are another tenant’s', async () => {
    const { as } = await site()
    const rows = rowsIn(await as('operator').page('/tenants/contoso/report/print?class=foreign'))
    assert.equal(rows.length, 4)
  })

  it('is not for a viewer', async () => {
    assert.equal(
      (await (await site()).as('viewer').get('/tenants/contoso/report/print')).status,
      403,
    )
  })
})
