import { chromium, type Browser } from 'playwright-core'
import { findTool } from './tools'

/**
 * Starts a real browser without a window. It ends with `close()`, and with this process.
 *
 * @throws Error when there is no chromium (it says what to do)
 */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findTool('chromium'),
    // Tests may run as root and in a container, where its sandbox and /dev/shm do not work.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
}
