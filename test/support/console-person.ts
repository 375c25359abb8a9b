import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'

/** A person at a browser of their own: counts what they press and type. */
export class ConsolePerson {
  clicks = 0
  words = 0
  /** What went wrong in pages: faults of scripts, and what the Content-Security-Policy has blocked. */
  readonly faults: string[] = []

  private constructor(readonly page: Page) {
    page.on('pageerror', ({ message }) => this.faults.push(message))
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) this.faults.push(message.text())
    })
  }

  static async at(browser: Browser, options: BrowserContextOptions = {}): Promise<ConsolePerson> {
    const viewport = { width: 1280, height: 900 }
    const context = await browser.newContext({ viewport, colorScheme: 'light', ...options })
    return new ConsolePerson(await context.newPage())
  }

  /** Opens an address from outside of the console, such as a link in a mail. */
  async opens(url: string): Promise<void> {
    this.clicks++
    await this.page.goto(url)
  }

  async presses(name: string | RegExp): Promise<void> {
    this.clicks++
    await this.page.getByRole('button', { name, exact: true }).click()
  }

  async follows(name: string | RegExp): Promise<void> {
    this.clicks++
    await this.page.getByRole('link', { name, exact: true }).click()
  }

  /** Opens what a page has folded up. */
  async unfolds(summary: string): Promise<void> {
    this.clicks++
    await this.page.getByText(summary, { exact: true }).click()
  }

  /** Types into a field of the form with that button. */
  async types(button: string | RegExp, label: string | RegExp, text: string): Promise<void> {
    this.words += text.split(/\s+/).length
    await this.form(button).getByLabel(label).fill(text)
  }

  /** Chooses from a list of the form with that button. */
  async chooses(button: string | RegExp, label: string, value: string): Promise<void> {
    this.clicks++
    await this.form(button).getByLabel(label, { exact: true }).selectOption(value)
  }

  /** What the page says, without the navigation. */
  text(): Promise<string> {
    return this.page.locator('main').innerText()
  }

  private form(button: string | RegExp): Locator {
    return this.page.locator('form', {
      has: this.page.getByRole('button', { name: button, exact: true }),
    })
  }
}
