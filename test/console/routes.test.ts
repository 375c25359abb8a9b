import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { atLeast, ROLES, type Role } from '../../src/records/role'
import { newConsole, type ConsoleAtHand } from '../support/console'
import { fillHostile } from '../support/console-data'
import { ROUTES } from '../support/console-routes'
import { useRedis } from '../support/registry'

useRedis()

/** The least role of each route, as people are told. A new route has to be added here. */
const LEAST: Readonly<Record<string, Role>> = {
  'GET /': 'viewer',
  'GET /restricted': 'viewer',
  'GET /events': 'viewer',
  'GET /audit': 'viewer',
  'GET /nodes': 'viewer',
  'GET /doctor': 'viewer',
  'GET /enforcement': 'viewer',
  'GET /incidents/:subject': 'viewer',
  'GET /cases': 'viewer',
  'GET /cases/:case': 'viewer',
  'GET /cases/:case/print': 'viewer',
  'GET /tenants/:tenant/cases': 'viewer',
  'GET /tenants/:tenant/queue': 'operator',
  'GET /tenants/:tenant/report': 'viewer',
  'GET /tenants/:tenant/report/print': 'operator',
  'GET /tenants/:tenant/register': 'viewer',
  'GET /unattributed': 'viewer',
  'GET /explain': 'viewer',
  'GET /tenants/new': 'admin',
  'GET /tenants/:tenant': 'viewer',
  'GET /tenants/:tenant/domains': 'viewer',
  'GET /tenants/:tenant/connectors': 'viewer',
  'GET /tenants/:tenant/audit': 'viewer',
  'GET /tenants/:tenant/settings': 'viewer',
  'GET /connectors': 'viewer',
  'GET /search': 'viewer',
  'GET /glossary': 'viewer',
  'POST /tenants/:tenant/report.csv': 'operator',
  'POST /tenants/:tenant/block': 'operator',
  'POST /tenants/:tenant/unblock': 'operator',
  'POST /cases/:case/take': 'operator',
  'POST /cases/:case/release': 'operator',
  'POST /cases/:case/note': 'operator',
  'POST /cases/:case/check': 'operator',
  'POST /cases/:case/close': 'operator',
  'POST /tenants/:tenant/queue/drop': 'operator',
  'POST /tenants/:tenant/queue/show': 'operator',
  'POST /tenants/:tenant/register': 'operator',
  'POST /tenants/:tenant/register/dns': 'operator',
  'POST /enforcement/pause': 'admin',
  'POST /enforcement/resume': 'admin',
  'POST /nodes/:host/forget': 'admin',
  'POST /tenants/:tenant/limits': 'operator',
  'POST /tenants/:tenant/settings': 'admin',
  'POST /tenants/add': 'admin',
  'POST /tenants/:tenant/remove': 'admin',
  'POST /tenants/:tenant/domains/add': 'admin',
  'POST /tenants/:tenant/domains/subdomains': 'admin',
  'POST /tenants/:tenant/domains/remove': 'admin',
  'POST /connectors/:tenant/:name/block': 'operator',
  'POST /connectors/:tenant/:name/unblock': 'operator',
  'POST /connectors/:tenant/:name/enable': 'admin',
  'POST /connectors/:tenant/:name/disable': 'admin',
  'POST /tenants/:tenant/connectors/add': 'admin',
  'POST /connectors/:tenant/:name/identities': 'admin',
  'POST /connectors/:tenant/:name/remove': 'admin',
}

/** What a form sends for which more than the role of its route is needed, and what is needed then. */
const MORE: Readonly<Record<string, readonly [fields: Record<string, string>, least: Role]>> = {
  'an unblock with --force': [
    { path: '/tenants/contoso/unblock', reason: 'x', force: 'yes' },
    'admin',
  ],
  'a domain that is not called own': [
    {
      path: '/tenants/contoso/register',
      ...{ domain: 'lure.example', typed: 'lure.example', reason: 'x' },
    },
    'admin',
  ],
}

describe('the roles', () => {
  let console: ConsoleAtHand
  before(async () => {
    console = newConsole()
    await fillHostile(console)
  })

  it('are said for every route', () => {
    const routes = ROUTES.map(({ method, route }) => `${method} ${route}`)
    assert.deepEqual([...routes].sort(), Object.keys(LEAST).sort())
    assert.equal(new Set(routes).size, routes.length, 'a route is there twice')
  })

  for (const role of ROLES) {
    it(`let a person with the role ${role} do what that role may, and nothing else`, async () => {
      for (const { method, route, path } of ROUTES) {
        const browser = console.as(role)
        const { status } = await (method === 'GET' ? browser.get(path) : browser.post(path))
        const may = atLeast(role, LEAST[`${method} ${route}`]!)
        assert.equal(status !== 403, may, `${role}: ${status} for ${method} ${route}`)
        assert.ok(status < 500, `${status} for ${method} ${route}`)
      }
      assert.deepEqual(console.faults, [])
    })
  }

  for (const [what, [{ path, ...fields }, least]] of Object.entries(MORE)) {
    it(`keep ${what} for the role ${least}`, async () => {
      for (const role of ROLES) {
        const { status } = await console.as(role).post(path!, fields)
        assert.equal(status !== 403, atLeast(role, least), `${role}: ${status}`)
      }
    })
  }

  it('show no form that changes something to a person who may only read', async () => {
    for (const { method, route, path } of ROUTES) {
      if (method !== 'GET' || LEAST[`GET ${route}`] !== 'viewer') continue
      const page = await console.as('viewer').page(path)
      const forms = [...page.matchAll(/<form[^>]*method="post"[^>]*>/g)].map(([form]) => form)
      assert.deepEqual(
        forms.filter((form) => !form.includes('/sign-out')),
        [],
        path,
      )
    }
  })
})
