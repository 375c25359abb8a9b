import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { Restrictions } from '../../src/allowance/restriction'
import { InputError } from '../../src/base/errors'
import { Cases } from '../../src/cases/cases'
import { connectorId } from '../../src/mail/identities'
import { find, type FoundAll } from '../../src/operations/find'
import { removeTenant } from '../../src/operations/remove-tenant'
import { NameIndex } from '../../src/registry/name-index'
import { newSite, useRedis, type Site } from '../support/registry'

useRedis()

const OWNED = { subdomains: false, shared: false }
const ACT = { scope: 'unregistered', by: 'ann', reason: 'a test' } as const

let site: Site
/** Read before a test changes something. */
let index: NameIndex

beforeEach(async () => {
  site = newSite()
  const { tenants, domains, connectors } = site.registry
  await tenants.add('contoso', { name: 'Contoso Büro Ltd' }, 'ann')
  await tenants.add('fabrikam', {}, 'ann')
  await domains.add('contoso', [{ domain: 'contoso.com', ...OWNED, subdomains: true }], 'ann')
  await domains.add('fabrikam', [{ domain: 'mail.fabrikam.org', ...OWNED }], 'ann')
  await domains.add('fabrikam', [{ domain: 'contoso.com', subdomains: false, shared: true }], 'ann')
  await connectors.add('contoso', 'mx', { ip: ['192.0.2.0/24'], auth: ['web@contoso.com'] }, 'ann')
  index = new NameIndex(site.store)
  await index.renew()
})

function look(text: string, of = index): Promise<FoundAll> {
  return find(site.store, text, of)
}

/** The names that a text finds in the registry. */
async function names(text: string, of = index): Promise<string[]> {
  const { tenants, domains, connectors, cases } = await look(text, of)
  return [
    ...tenants.items.map(({ id }) => id),
    ...domains.items.map(({ domain, tenant }) => `${domain} ${tenant}`).sort(),
    ...connectors.items.map(({ tenant, name }) => connectorId(tenant, name)),
    ...cases.items.map(({ name }) => name),
  ]
}

describe('find', () => {
  it('finds tenants, accepted and shared domains and connectors by any part of their names', async () => {
    const cases: [string, string[]][] = [
      ['CONTOSO', ['contoso', 'contoso.com contoso', 'contoso.com fabrikam', 'contoso/mx']],
      ['büro', ['contoso']],
      ['kam', ['fabrikam', 'mail.fabrikam.org fabrikam']],
      ['so/mx', ['contoso/mx']],
      ['web@con', ['contoso/mx']],
      ['192.0.2.0', ['contoso/mx']],
      ['nothing', []],
    ]
    for (const [text, expected] of cases) assert.deepEqual(await names(text), expected, text)
  })

  it('finds what has just been added by its exact name, address, user or a name below it', async () => {
    const { tenants, domains, connectors } = site.registry
    await tenants.add('northwind', {}, 'ann')
    await domains.add('northwind', [{ domain: 'n.example', ...OWNED, subdomains: true }], 'ann')
    const identities = {
      ip: ['198.51.100.0/24', '2001:db8::/32'],
      cert: ['*.n.example'],
      auth: ['*@n.example'],
      certSha256: ['ab'.repeat(32)],
    }
    await connectors.add('northwind', 'web', identities, 'ann')
    const web = ['northwind/web']
    const cases: [string, string[]][] = [
      ['northwind', ['northwind']],
      ['n.example', ['n.example northwind']],
      ['deep.below.n.example', ['n.example northwind']],
      ['ann@n.example', ['n.example northwind', ...web]],
      ['mx.n.example', ['n.example northwind', ...web]],
      ['northwind/web', web],
      ['198.51.100.200', web],
      ['2001:DB8:7::1', web],
      [Array(32).fill('AB').join(':'), web],
    ]
    for (const [text, expected] of cases) assert.deepEqual(await names(text), expected, text)
  })

  it('does not show what has been removed since the names were read', async () => {
    await site.registry.domains.remove('fabrikam', ['contoso.com'])
    await removeTenant(site.store, 'contoso', 'ann')
    assert.deepEqual(await names('contoso'), [])
  })

  it('shows what was changed once the names have been read again, and forgets the rest', async () => {
    await site.registry.tenants.set('fabrikam', { name: 'Renamed GmbH' })
    await removeTenant(site.store, 'contoso', 'ann')
    assert.deepEqual(await names('renamed'), [])
    const later = new NameIndex(site.store)
    await later.renew()
    assert.deepEqual(await names('renamed', later), ['fabrikam'])
    assert.deepEqual([later.tenants.size, later.connectors.size], [1, 0])
  })

  it('finds the cases of the tenants that it finds, and those of a removed one by their names', async () => {
    const restrictions = new Restrictions(site.store)
    for (const number of [1, 2]) {
      await restrictions.place('contoso', ACT)
      await new Cases(site.store).ensure('contoso')
      assert.equal((await look('contoso')).tenants.items[0]?.restricted, true)
      const lift = { by: 'ann', reason: 'clean', keepUsage: false }
      await restrictions.lift('contoso', lift)
      await new Cases(site.store).close(`contoso:${number}`, { by: 'ann', text: '' })
    }
    const caseNames = async (text: string): Promise<string[]> =>
      (await look(text)).cases.items.map(({ name }) => name)
    assert.deepEqual(await caseNames('büro'), ['contoso:2', 'contoso:1'])
    await removeTenant(site.store, 'contoso', 'ann')
    assert.deepEqual(await caseNames('contoso'), ['contoso:2', 'contoso:1'])
    assert.deepEqual(await caseNames('contoso:1'), ['contoso:1'])
    assert.deepEqual(await caseNames('contoso:3'), [])
  })

  it('shows 20 of each kind at most, and says that there are more', async () => {
    const { tenants, domains } = site.registry
    for (let at = 0; at < 21; at++) await tenants.add(`many-${at}`, {}, 'ann')
    const many = Array.from({ length: 20 }, (_, at) => ({ domain: `many-${at}.example`, ...OWNED }))
    await domains.add('fabrikam', many, 'ann')
    const all = new NameIndex(site.store)
    await all.renew()
    const found = await look('many-', all)
    assert.deepEqual([found.tenants.items.length, found.tenants.hasMore], [20, true])
    assert.deepEqual([found.domains.items.length, found.domains.hasMore], [20, false])
  })

  it('refuses fewer than three characters, also where others cannot be seen', async () => {
    for (const text of ['', '  ab  ', 'a\u202e\u0000b', 'ü\u{1f4a9}']) {
      await assert.rejects(look(text), InputError, JSON.stringify(text))
    }
    await look('ü\u{1f4a9}b')
  })

  it('reads no more of Redis when there are more names', async () => {
    const calls = async (): Promise<number> => {
      const before = await commands()
      await look('contoso')
      return (await commands()) - before
    }
    const few = await calls()
    const { tenants } = site.registry
    for (let at = 0; at < 100; at++) await tenants.add(`other-${at}`, {}, 'ann')
    index = new NameIndex(site.store)
    await index.renew()
    assert.equal(await calls(), few)
    assert.ok(few < 100, String(few))
  })
})

async function commands(): Promise<number> {
  const text = await site.store.client.info('stats')
  return Number(/total_commands_processed:(\d+)/.exec(text)![1])
}
