import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { domainToASCII } from 'node:url'
import { readTenantAudit } from '../../src/audit/reader'
import { ConnectorRegistry } from '../../src/registry/connector-registry'
import { DomainRegistry } from '../../src/registry/domain-registry'
import { TenantRegistry } from '../../src/registry/tenant-registry'
import { DAY, HOUR } from '../../src/reporting/calendar'
import type { Store } from '../../src/store/store'
import { newConsole, type ConsoleAtHand } from '../support/console'
import { TestDns } from '../support/dns'
import { useRedis } from '../support/registry'
import { record, type Mail } from '../support/reports'

useRedis()

// What is newer is never ranked as abuse.
const NOW = Date.now() - 2 * HOUR
/** c0ntoso with a zero; contoso with a Cyrillic о. */
const FORGED = 'c0ntoso.example'
const MIXED = domainToASCII('cоntoso.com')
const OWN = 'contoso.de'
const ABUSE = 'xqkzvwpt.example'
const REGISTER = '/tenants/contoso/register'
const PAGE = `${REGISTER}?domain=`

const daily = (domain: string, days: number): Mail[] =>
  Array.from({ length: days }, (_, at) => ({
    ...{ domain, connector: 'contoso/mx', at: NOW - at * DAY, accepted: 5 },
    messages: { accepted: 2 },
  }))

async function site(dns = ''): Promise<ConsoleAtHand> {
  const console = newConsole({ console: { dns } })
  const { store } = console
  await new TenantRegistry(store).add('contoso', { name: 'Contoso' }, 'dora')
  await new DomainRegistry(store).add(
    'contoso',
    [{ domain: 'contoso.com', subdomains: false, shared: false }],
    'dora',
  )
  await new ConnectorRegistry(store).add('contoso', 'mx', { ip: ['192.0.2.1'] }, 'dora')
  await record(
    store,
    'contoso',
    ...daily(OWN, 40),
    ...daily(FORGED, 40),
    ...daily(MIXED, 3),
    ...daily(ABUSE, 1),
    ...Array.from({ length: 12 }, (_, at) => daily(`z${at}.example`, 1)).flat(),
    ...daily('gmail.com', 2),
  )
  return console
}

async function accepted(store: Store): Promise<string[]> {
  return (await new DomainRegistry(store).list('contoso')).map(({ domain }) => domain)
}

describe('the page that registers a domain', () => {
  it('shows the verdict with its reasons, and what was seen of the domain', async () => {
    const { as, faults } = await site()
    const page = await as('viewer').page(PAGE + OWN)
    assert.match(page, /own: probably the tenant’s/)
    assert.match(page, /\+30\s+<bdi>called contoso, as accepted contoso\.com/)
    assert.match(page, /Messages<\/dt>\s*<dd>80/)
    assert.match(page, /Recipients<\/dt>\s*<dd>200/)
    assert.match(page, /Connectors<\/dt>\s*<dd>mx/)
    assert.match(page, /First seen<\/dt>\s*<dd><time/)
    assert.doesNotMatch(page, /<form method="post" action="\/tenants/)
    assert.deepEqual(faults, [])
  })

  it('shows an A-label beside Unicode, and marks scripts that are mixed', async () => {
    const page = await (await site()).as('viewer').page(PAGE + MIXED)
    assert.match(page, new RegExp(`<bdi class="outside">${MIXED}</bdi>`))
    assert.match(page, /<bdi class="outside">cоntoso\.com<\/bdi>/)
    assert.match(page, /Latin and Cyrillic in one word: a sign of a forged name/)
  })

  it('marks a name that looks like an accepted domain', async () => {
    const page = await (await site()).as('viewer').page(PAGE + FORGED)
    assert.match(page, /contoso\.com, by letters that look alike: a forged name/)
  })

  it('offers no form for the domain of a mailbox provider', async () => {
    const page = await (await site()).as('admin').page(`${PAGE}gmail.com`)
    assert.match(page, /never: a mailbox provider/)
    assert.doesNotMatch(page, /action="\/tenants\/contoso\/register"/)
  })

  it('says so of a domain that no report names, and of what is no domain', async () => {
    const { as } = await site()
    assert.match(await as('viewer').page(`${PAGE}unseen.example`), /in no report since/)
    assert.equal((await as('viewer').get(`${PAGE}no domain`)).status, 400)
  })
})

describe('registering a domain', () => {
  it('takes one press of an operator for what is ranked as own', async () => {
    const { as, store } = await site()
    const browser = as('operator')
    assert.doesNotMatch(await browser.page(PAGE + OWN), /name="typed"/)
    await browser.post(REGISTER, { domain: OWN })
    assert.deepEqual(await accepted(store), ['contoso.com', OWN])
    assert.match(await browser.page('/'), /tenantctl domain add contoso contoso\.de/)
  })

  it('takes an admin, the name typed and a reason for anything else', async () => {
    const { as, store } = await site()
    const admin = as('admin', 'ann')
    assert.match(await admin.page(PAGE + ABUSE), /name="typed"/)
    const form = { domain: ABUSE, typed: ABUSE.toUpperCase(), reason: 'their newsletter' }
    await admin.post(REGISTER, form)
    assert.deepEqual(await accepted(store), ['contoso.com', ABUSE])
    const entries = await readTenantAudit(store, 'contoso', 0)
    const why = entries.find(({ what }) => what === 'domains explained')
    assert.deepEqual([why?.to, why?.note], [`${ABUSE}: their newsletter`, 'console:ann'])
  })

  for (const domain of [ABUSE, FORGED, MIXED, 'unseen.example', 'gmail.com']) {
    it(`does not let an operator register ${domain} with a forged form`, async () => {
      const { as, store } = await site()
      const operator = as('operator')
      assert.doesNotMatch(
        await operator.page(PAGE + domain),
        /action="\/tenants\/contoso\/register"/,
      )
      assert.equal((await operator.post(REGISTER, { domain })).status, 409)
      const forged = { domain, typed: domain, reason: 'mine', confirmed: 'yes' }
      assert.equal((await operator.post(REGISTER, forged)).status, 403)
      assert.deepEqual(await accepted(store), ['contoso.com'])
    })
  }

  for (const [why, fields] of [
    ['is typed otherwise', { typed: 'xqkzvwtp.example', reason: 'mine' }],
    ['is not typed', { reason: 'mine' }],
    ['has no reason', { typed: ABUSE }],
    ['is typed as what is no domain', { typed: '<b>', reason: 'mine' }],
  ] as const) {
    it(`does nothing where the domain ${why}`, async () => {
      const { as, store } = await site()
      assert.equal((await as('admin').post(REGISTER, { domain: ABUSE, ...fields })).status, 400)
      assert.deepEqual(await accepted(store), ['contoso.com'])
    })
  }

  it('is not for a viewer', async () => {
    const { as, store } = await site()
    assert.equal((await as('viewer').post(REGISTER, { domain: OWN })).status, 403)
    assert.deepEqual(await accepted(store), ['contoso.com'])
  })
})

describe('DNS on the page that registers a domain', () => {
  let dns: TestDns
  before(async () => {
    const own = { mx: ['mx.contoso.com'], a: ['192.0.2.80'] }
    dns = await TestDns.start({ 'contoso.com': own, [OWN]: own, [FORGED]: own })
  })
  after(() => dns.stop())

  it('is asked on a press only, once in ten minutes, and about that domain', async () => {
    const { as } = await site(dns.address)
    const browser = as('operator')
    assert.match(await browser.page(PAGE + OWN), /DNS was not asked/)
    await browser.page('/tenants/contoso/report')
    assert.equal(dns.asked.length, 0)
    const pressed = await browser.post(`${REGISTER}/dns`, { domain: OWN, return_to: PAGE + OWN })
    assert.equal(pressed.headers.get('location'), PAGE + OWN)
    assert.ok(dns.asked.includes(`MX ${OWN}`))
    assert.ok(!dns.asked.some((each) => each.includes(ABUSE)))
    const many = dns.asked.length
    const page = await browser.page(PAGE + OWN)
    assert.match(page, /DNS was asked at/)
    assert.match(page, /MX is mx\.contoso\.com, the tenant&#39;s own/)
    await browser.post(`${REGISTER}/dns`, { domain: OWN })
    assert.equal(dns.asked.length, many)
  })

  it('lets no forged name be registered by an operator, whatever it says', async () => {
    const { as, store } = await site(dns.address)
    const operator = as('operator')
    await operator.post(`${REGISTER}/dns`, { domain: FORGED })
    assert.equal((await operator.post(REGISTER, { domain: FORGED })).status, 409)
    assert.deepEqual(await accepted(store), ['contoso.com'])
  })

  it('is not asked by a viewer, nor about a domain that no report names', async () => {
    const { as } = await site(dns.address)
    const before = dns.asked.length
    assert.equal((await as('viewer').post(`${REGISTER}/dns`, { domain: OWN })).status, 403)
    const other = await as('operator').post(`${REGISTER}/dns`, { domain: 'unseen.example' })
    assert.equal(other.status, 409)
    assert.equal(dns.asked.length, before)
  })

  it('says so where no resolver answers', async () => {
    const { as } = await site('127.0.0.1:9')
    const response = await as('operator').post(`${REGISTER}/dns`, { domain: OWN })
    assert.equal(response.status, 409)
    assert.match(await response.text(), /DNS gave no answer about contoso\.de/)
  })
})
