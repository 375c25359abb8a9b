import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { Result } from 'axe-core'
import type { Page } from 'playwright-core'
import { PAGES } from '../../src/console/pages/all'
import { noBrowser } from '../../scripts/services/browser'
import { browseConsole, type BrowsedConsole, type Window } from '../support/console-browser'
import { fillHostile } from '../support/console-data'
import { takeover } from '../support/console-incident'
import { ROUTES } from '../support/console-routes'
import { newSite, useRedis } from '../support/registry'

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const PATHS = [
  ...ROUTES.filter(({ route }) => PAGES.some(({ path }) => path === route)).map(({ path }) => path),
  '/tenants/contoso/register?domain=lure.example',
  '/search?q=contoso',
  '/explain?from=x%40lure.example&ip=192.0.2.10',
  // Pages that say no.
  '/nowhere',
  '/sign-in/used-already',
  '/tenants/nobody',
]

useRedis()

describe('every page of the console, in a browser', { skip: noBrowser }, () => {
  let console: BrowsedConsole
  before(async () => {
    console = await browseConsole(await takeover())
  })
  after(() => console.stop())

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [320, 1280]) {
      it(`has no fault: ${colorScheme}, ${width} px`, async () => {
        const viewport = { width, height: 800 }
        await lookAtAll(console, await console.signedIn({ colorScheme, viewport }))
      })
    }
  }

  it('has no fault where script is off, and no button that needs it', async () => {
    const window = await console.signedIn()
    // As without script, except that axe can run.
    await window.page.route('**/*.js', (route) => route.abort())
    await lookAtAll(console, window, async () => {
      for (const button of await window.page.locator('.copy, .pause').all()) {
        assert.ok(await button.isHidden())
      }
    })
  })
})

describe('every page of the console with what senders of mail choose', { skip: noBrowser }, () => {
  let console: BrowsedConsole
  before(async () => {
    console = await browseConsole(await fillHostile(newSite()))
  })
  after(() => console.stop())

  it('has no fault, and is not wider than a small window', async () => {
    await lookAtAll(console, await console.signedIn({ viewport: { width: 320, height: 800 } }))
  })
})

/** Opens every page. */
async function lookAtAll(
  { origin }: BrowsedConsole,
  { page, faults }: Window,
  more: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const found: Record<string, unknown> = {}
  for (const path of PATHS) {
    await page.goto(origin + path)
    const wrong = [
      ...(await faultsOf(page)),
      ...faults.splice(0),
      ...(await page.evaluate<string[]>(WITHOUT_FOCUS)).map((each) => `shows no focus: ${each}`),
    ]
    if ((await page.evaluate<number>(TOO_WIDE)) > 0) wrong.push('is wider than the window')
    if ((await page.locator('h1').count()) !== 1) wrong.push('has not one h1')
    if (wrong.length > 0) found[path] = wrong
    await more()
  }
  assert.deepEqual(found, {})
  await page.context().close()
}

/** What axe finds: its rule, and some of the elements. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const run = `axe.run(${JSON.stringify({ runOnly: TAGS, resultTypes: ['violations'] })}).then(({ violations }) => violations)`
  const violations = await page.evaluate<Result[]>(run)
  return violations.map(({ id, nodes }) => {
    const some = nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`)
    return `${id}: ${some.join('\n')}`
  })
}

// These run in the page: the tests know no DOM.

/** How many px a page is wider than its window. */
const TOO_WIDE = `document.documentElement.scrollWidth - document.documentElement.clientWidth`

/** Elements that get the focus of the keyboard without showing it. */
const WITHOUT_FOCUS = `
  [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
    .filter((element) => {
      element.focus({ focusVisible: true })
      const { outlineStyle, outlineWidth } = getComputedStyle(element)
      const isShown = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2
      return document.activeElement === element && !isShown
    })
    .map(({ outerHTML }) => outerHTML.slice(0, 200))`
