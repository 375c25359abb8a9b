import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newConsole, ORIGIN } from '../support/console'
import { useRedis } from '../support/registry'

useRedis()

describe('the console', () => {
  it('shows a page to a person who is signed in, and names the person', async () => {
    const { as, faults } = newConsole()
    const page = await as('viewer', 'ann (root)').page('/')
    assert.match(page, /^<!doctype html>/i)
    assert.match(page, /<h1>Overview/)
    assert.match(page, /ann \(root\), viewer/)
    assert.deepEqual(faults, [])
  })

  it('shows nothing to a person who is not signed in', async () => {
    const { app } = newConsole()
    const response = await app.request(`${ORIGIN}/`, { headers: { host: '127.0.0.1:8025' } })
    assert.equal(response.status, 401)
    assert.match(await response.text(), /tenantctl console link/)
  })

  it('answers a path that it does not have with a page that says so', async () => {
    const response = await newConsole().as('admin').get('/nowhere')
    assert.equal(response.status, 404)
    assert.match(await response.text(), /There is no such page/)
  })

  it('does not send again what has not changed since the last poll', async () => {
    const browser = newConsole().as('viewer')
    const first = await browser.get('/', { 'hx-request': 'true' })
    assert.equal(first.status, 200)
    const tag = first.headers.get('hx-ptag') ?? ''
    assert.match(await browser.page('/'), new RegExp(`data-hx-ptag="${tag}"`))
    const again = await browser.get('/', { 'hx-request': 'true', 'hx-ptag': tag })
    assert.equal(again.status, 304)
  })

  it('sends the headers that keep other sites and scripts out', async () => {
    const { headers } = await newConsole().as('viewer').get('/')
    const policy = headers.get('content-security-policy') ?? ''
    for (const part of ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(part), policy)
    }
    assert.doesNotMatch(policy, /unsafe/)
    assert.equal(headers.get('referrer-policy'), 'same-origin')
    assert.equal(headers.get('cache-control'), 'no-store')
  })

  it('ends a session at Sign out', async () => {
    const browser = newConsole().as('viewer')
    assert.equal((await browser.post('/sign-out')).status, 200)
    assert.equal((await browser.get('/')).status, 401)
  })
})
