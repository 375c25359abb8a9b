import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { startBrowser } from '../../scripts/services/browser'
import { freePort } from '../../scripts/services/port'
import type { Session } from '../../src/console/access/sessions'
import type { ConsoleSite } from '../../src/console/server/site'
import { newConsole, type ConsoleAtHand } from './console'
import type { Site } from './registry'

/** A console that a real browser can reach. */
export interface BrowsedConsole {
  readonly browser: Browser
  readonly origin: string
  readonly at: ConsoleAtHand
  /** A window of a person of the role admin, in a browser profile of its own. */
  signedIn(options?: BrowserContextOptions): Promise<Window>
  stop(): Promise<void>
}

export interface Window {
  readonly page: Page
  readonly session: Session
  /** What went wrong in the page: faults of its script, and what its Content-Security-Policy has blocked. */
  readonly faults: string[]
}

/** After `useRedis()`. @param data what it shows. */
export async function browseConsole(
  data: Site,
  changed: Partial<ConsoleSite> = {},
): Promise<BrowsedConsole> {
  const browser = await startBrowser()
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const at = newConsole({}, { origins: [origin], ...changed }, data)
  const server = createAdaptorServer({ fetch: at.app.fetch }) as Server
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  const { entry, cookie } = at.console
  const signedIn = async (options: BrowserContextOptions = {}): Promise<Window> => {
    const person = {
      provider: 'console',
      subject: 'ann',
      name: 'ann (root)',
      role: 'admin',
    } as const
    const { cookie: value, session } = entry.sessions.begin(person, '127.0.0.1')
    const context = await browser.newContext(options)
    await context.addCookies([{ name: cookie.name, value, url: origin }])
    const page = await context.newPage()
    const faults: string[] = []
    page.on('pageerror', ({ message }) => faults.push(message))
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) faults.push(message.text())
    })
    return { page, session, faults }
  }
  const stop = async (): Promise<void> => {
    await browser.close()
    server.close()
  }
  return { browser, origin, at, signedIn, stop }
}
