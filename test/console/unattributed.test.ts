import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectorRegistry } from '../../src/registry/connector-registry'
import { TenantRegistry } from '../../src/registry/tenant-registry'
import { DAY } from '../../src/reporting/calendar'
import { unattributedField, type UnattributedSource } from '../../src/reporting/rows'
import { newConsole, type ConsoleAtHand } from '../support/console'
import { useRedis } from '../support/registry'
import { packCounts } from '../support/report-fields'
import { countsOf } from '../support/reports'

useRedis()

const NOW = Date.now()

function source(fields: Partial<UnattributedSource>, deferred: number): [string, string] {
  const field = unattributedField({ ip: '192.0.2.10', user: '', certificate: '', ...fields })
  return [field, packCounts(countsOf({ at: NOW, deferred, messages: { deferred: 2 } }))]
}

async function site(...sources: [string, string][]): Promise<ConsoleAtHand> {
  const console = newConsole()
  const { client, keys } = console.store
  if (sources.length > 0) {
    await client.hset(keys.unattributedDay(Math.floor(NOW / DAY)), ...sources.flat())
  }
  return console
}

describe('mail without a tenant', () => {
  it('shows who relays, and the command that makes a connector of it', async () => {
    const { as, faults } = await site(
      source({ user: "we'b" }, 30),
      source({ ip: '192.0.2.11' }, 20),
      source({ certificate: 'mail.contoso.com' }, 10),
    )
    const page = await as('viewer').page('/unattributed')
    const commands = [...page.matchAll(/<code>(tenantctl connector[^<]*)/g)].map(([, text]) => text)
    assert.deepEqual(commands, [
      'tenantctl connector add TENANT NAME --auth &#39;we&#39;\\&#39;&#39;b&#39;',
      'tenantctl connector add TENANT NAME --ip 192.0.2.11',
      'tenantctl connector add TENANT NAME --cert mail.contoso.com',
    ])
    assert.match(page, /<td class="number">2<\/td><td class="number">0<\/td><td class="number">30</)
    assert.deepEqual(faults, [])
  })

  it('links to the connectors of the tenant that was named', async () => {
    const { as, store } = await site(source({ user: 'web' }, 1))
    const page = await as('viewer').page('/unattributed?tenant=contoso')
    assert.match(page, /tenantctl connector add contoso NAME --auth web/)
    assert.match(page, /href="\/tenants\/contoso\/connectors\?auth=web"/)
    await new TenantRegistry(store).add('contoso', { name: 'Contoso' }, 'dora')
    const there = await as('admin').page('/tenants/contoso/connectors?auth=web')
    assert.match(there, /name="auth"\s+value="web"/)
  })

  it('shows the first 500 sources, and says how many more there are', async () => {
    const many = Array.from({ length: 503 }, (_, at) => source({ user: `u${at}` }, 1))
    const page = await (await site(...many)).as('viewer').page('/unattributed')
    assert.match(page, /Left out: 3 more sources/)
  })

  it('says that all is well where there is none', async () => {
    const page = await (await site()).as('viewer').page('/unattributed')
    assert.match(page, /No mail was relayed without a tenant/)
  })
})

describe('explaining a message', () => {
  async function contoso(): Promise<ConsoleAtHand> {
    const console = await site()
    await new TenantRegistry(console.store).add('contoso', { name: 'Contoso' }, 'dora')
    const identities = { ip: ['192.0.2.10'] }
    await new ConnectorRegistry(console.store).add('contoso', 'mx', identities, 'dora')
    return console
  }

  it('asks first, and explains nothing', async () => {
    const page = await (await site()).as('viewer').page('/explain')
    assert.match(page, /<form method="get" action="\/explain"/)
    assert.doesNotMatch(page, /verdict/)
  })

  it('says step by step what would happen, and the command that says it too', async () => {
    const { as, faults } = await contoso()
    const page = await as('viewer').page('/explain?from=ann%40lure.example&to=&ip=192.0.2.10')
    assert.match(page, /<dt>verdict<\/dt>\s*<dd><span class="state good">charge</)
    assert.match(page, /<dt>tenant<\/dt>/)
    assert.match(page, /tenantctl explain --from ann@lure\.example --ip 192\.0\.2\.10/)
    assert.deepEqual(faults, [])
  })

  it('takes an empty sender for the null sender', async () => {
    const page = await (await contoso()).as('viewer').page('/explain?from=&ip=192.0.2.10')
    assert.match(page, /<dt>class<\/dt>\s*<dd>null</)
    assert.match(page, /tenantctl explain --from &#39;&#39; --ip 192\.0\.2\.10/)
  })

  it('says what is wrong with what was asked', async () => {
    const { as } = await contoso()
    for (const query of ['from=a%40b.example&ip=300.1.1.1', 'from=%3Cx']) {
      const response = await as('viewer').get(`/explain?${query}`)
      assert.equal(response.status, 400, query)
    }
  })
})
