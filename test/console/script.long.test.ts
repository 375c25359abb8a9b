import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { noBrowser } from '../../scripts/services/browser'
import { browseConsole, type BrowsedConsole } from '../support/console-browser'
import { newSite, useRedis } from '../support/registry'

let console: BrowsedConsole
/** Why nothing may be changed: every page says it on top. */
let readOnly: string | undefined

useRedis()

describe('the script of the pages, in a browser', { skip: noBrowser }, () => {
  before(async () => {
    console = await browseConsole(newSite(), { readOnly: () => Promise.resolve(readOnly) })
  })
  after(() => console.stop())

  it('shows times in the zone of the reader, and UTC on hover', async () => {
    const { page } = await open({ timezoneId: 'Asia/Kathmandu' })
    const time = page.locator('#updates time')
    const utc = await time.getAttribute('title')
    assert.match(utc!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    const there = new Date(Date.parse(utc!) + 345 * 60_000).toISOString().slice(0, 19)
    assert.equal(await time.textContent(), `${there.replace('T', ' ')} +05:45`)
  })

  it('asks by itself for what is new, and leaves the focus where it is', async () => {
    const { page, faults } = await open()
    const help = page.locator('#live .help').first()
    await help.focus()
    readOnly = 'the registry is another one'
    await page.getByText('the registry is another one').waitFor()
    assert.ok(
      await help.evaluate('document.activeElement === document.querySelector("#live .help")'),
    )
    readOnly = undefined
    await page.getByText('the registry is another one').waitFor({ state: 'detached' })
    assert.deepEqual(faults, [])
  })

  it('copies a command', async () => {
    const { page } = await open({ permissions: ['clipboard-read', 'clipboard-write'] })
    await page.goto(`${console.origin}/restricted`)
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByText('The command was copied').waitFor()
    const copied = await page.evaluate('navigator.clipboard.readText()')
    assert.equal(copied, 'tenantctl restricted')
  })

  it('asks nothing in a window that is hidden, and at once when it is shown', async () => {
    const { page, polls } = await open()
    await hide(page, true)
    await tick(page)
    await hide(page, false)
    await page.waitForResponse(isPoll)
    assert.equal(polls.length, 1)
  })

  it('asks nothing while updates are paused, and at once when they go on', async () => {
    const { page, polls } = await open()
    const pause = page.getByRole('button', { name: 'Pause updates' })
    await pause.press('Enter')
    assert.equal(await pause.getAttribute('aria-pressed'), 'true')
    await tick(page)
    const next = page.waitForResponse(isPoll)
    await pause.press('Enter')
    await next
    assert.equal(polls.length, 1)
    assert.equal(await pause.getAttribute('aria-pressed'), 'false')
  })

  it('says that the session has ended, and shows nothing in place of what was there', async () => {
    const { page, session } = await open()
    const before = await page.locator('#live').innerHTML()
    console.at.console.entry.sessions.end(session.id)
    await tick(page)
    await page.getByText('You are signed out, and updates have stopped').waitFor()
    assert.equal(await page.locator('#live').innerHTML(), before)
  })

  for (const [what, answer] of [
    ['an error', { status: 500, body: '<h1>A fault</h1>' }],
    ['the page of a proxy', { status: 200, body: '<h1>Sign in</h1>', contentType: 'text/html' }],
  ] as const) {
    it(`says that updates have stopped instead of showing ${what}, until they go on`, async () => {
      const { page } = await open()
      const before = await page.locator('#live').innerHTML()
      await page.route('**', (route) => route.fulfill(answer))
      await tick(page)
      await page.getByText('Updates have stopped: the console answers with an error').waitFor()
      assert.equal(await page.locator('#live').innerHTML(), before)
      await page.unroute('**')
      await tick(page)
      await page.getByText('Updates have stopped').waitFor({ state: 'hidden' })
    })
  }

  it('says that the console does not answer', async () => {
    const { page } = await open()
    await page.route('**', (route) => route.abort())
    await tick(page)
    await page.getByText('Updates have stopped: the console does not answer').waitFor()
  })
})

async function open(options = {}) {
  const window = await console.signedIn(options)
  await window.page.goto(`${console.origin}/`)
  const polls: string[] = []
  window.page.on('request', (request) => {
    if (request.headers()['hx-request']) polls.push(request.url())
  })
  return { ...window, polls }
}

function isPoll(response: { request(): { headers(): Record<string, string> } }): boolean {
  return response.request().headers()['hx-request'] !== undefined
}

/** What the clock of the page does every five seconds. */
function tick(page: Page): Promise<void> {
  return page.evaluate(`htmx.trigger(document.getElementById('live'), 'every')`)
}

function hide(page: Page, isHidden: boolean): Promise<void> {
  return page.evaluate(`
    Object.defineProperty(document, 'hidden', { get: () => ${isHidden}, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))`)
}
