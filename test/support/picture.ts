import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Page } from 'playwright-core'

/** What a picture of the docs may weigh, in octets. */
const MOST = 160_000
/** Where pictures are written; without it they are only made. `npm run picture:console` sets it. */
const directory = process.env['PICTURES']

/** Takes a picture of a page for the docs. @param from what it begins with; absent: all that is on top. */
export async function takePicture(page: Page, name: string, from?: string): Promise<void> {
  if (directory !== undefined) mkdirSync(directory, { recursive: true })
  const top = from === undefined ? undefined : await page.locator(from).boundingBox()
  const picture = await page.screenshot({
    clip: { x: 0, y: top?.y ?? 0, width: 1280, height: 840 },
    fullPage: true,
    ...(directory !== undefined && { path: path.join(directory, `console-${name}.png`) }),
  })
  assert.ok(picture.length <= MOST, `the picture ${name} has ${picture.length} octets`)
}
