import { chromium, type Browser } from 'playwright-core'
import { findTool } from './tools'

/** The reason that no browser can run here, for `skip` of a test; false where one can. Root installs it on Debian. */
export const noBrowser: string | false = whyNot()

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

function whyNot(): string | false {
  try {
    findTool('chromium')
    return false
  } catch (error) {
    if (process.getuid?.() === 0) throw error
    return (error as Error).message
  }
}
