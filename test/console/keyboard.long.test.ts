import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { noBrowser } from '../../scripts/services/browser'
import { browseConsole, type BrowsedConsole } from '../support/console-browser'
import { takeover } from '../support/console-incident'
import { useRedis } from '../support/registry'

const INCIDENT = '/incidents/contoso'

useRedis()

for (const javaScriptEnabled of [true, false]) {
  describe(`an incident by keys alone, with script ${javaScriptEnabled ? 'on' : 'off'}`, () => {
    let console: BrowsedConsole
    let page: Page
    before(async () => {
      console = await browseConsole(await takeover())
      const viewport = { width: 1024, height: 700 }
      page = (await console.signedIn({ javaScriptEnabled, viewport })).page
    })
    after(() => console.stop())

    it('is reached past the navigation with two keys', { skip: noBrowser }, async () => {
      await page.goto(console.origin + INCIDENT)
      await page.keyboard.press('Tab')
      assert.equal(await focused(page), 'Skip to the content')
      await page.keyboard.press('Enter')
      await page.keyboard.press('Tab')
      assert.equal(await page.evaluate(`!!document.activeElement.closest('main')`), true)
    })

    it(
      'shows each place where the focus is, and leaves none out',
      { skip: noBrowser },
      async () => {
        await page.goto(console.origin + INCIDENT)
        const all = await page.evaluate<number>(`${EACH}.length`)
        for (let place = 0; place < all; place++) {
          await page.keyboard.press('Tab')
          assert.deepEqual(await page.evaluate(WHERE), { place, isSeen: true })
        }
      },
    )

    it('is taken, stopped and written down', { skip: noBrowser }, async () => {
      await page.goto(console.origin + INCIDENT)
      await tabTo(page, /^I am on it$/)
      await page.keyboard.press('Enter')
      await said(page, 'you are on case contoso:1')
      await tabTo(page, /^Block web$/)
      await page.keyboard.press('Enter')
      await said(page, 'contoso/web')
      await tabTo(page, /^What was found and done/)
      await page.keyboard.type('all domains are known')
      await page.keyboard.press('Enter')
      await said(page, 'domains')
    })
  })
}

/** What a person calls the element that has the focus. */
function focused(page: Page): Promise<string> {
  return page.evaluate(`(() => {
    const { labels, textContent } = document.activeElement
    return (labels?.[0] ?? { textContent }).textContent.trim()
  })()`)
}

async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let keys = 0; keys < 200; keys++) {
    await page.keyboard.press('Tab')
    if (name.test(await focused(page))) return
  }
  assert.fail(`no key leads to ${name}`)
}

/** Waits for what the page says on top after something was done. */
async function said(page: Page, text: string): Promise<void> {
  await page.locator('.notice', { hasText: text }).waitFor()
}

/** All that can have the focus, in the order of the page. Each has the outline that shows it. */
const EACH = `[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
  .filter((element) => element.type !== 'hidden' && element.checkVisibility())`

const WHERE = `(() => {
  const element = document.activeElement
  const { top, bottom } = element.getBoundingClientRect()
  const { outlineStyle } = getComputedStyle(element)
  const isSeen = outlineStyle !== 'none' && bottom > 0 && top < innerHeight
  return { place: ${EACH}.indexOf(element), isSeen }
})()`
