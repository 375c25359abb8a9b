import { LruCache } from '../../base/lru-cache'

/** In characters, over all pages. */
const ROOM = 20_000_000

/** What a page showed when Redis last answered. */
export interface Known {
  /** ms since the epoch */
  readonly at: number
  readonly title: string
  readonly live: string
  readonly rest: string
}

/** The pages that were shown, for the time in which Redis is away. By the role of the person and the address of the page. */
export class LastKnown {
  private readonly pages = new LruCache<Known>(
    ROOM,
    ({ title, live, rest }) => title.length + live.length + rest.length,
  )

  get(role: string, url: string): Known | undefined {
    return this.pages.get(`${role} ${url}`)
  }

  /** What goes on alone was read by a poll: the rest of the page stays as it was. */
  keep(role: string, url: string, known: Omit<Known, 'rest'> & { readonly rest?: string }): void {
    const rest = known.rest ?? this.pages.peek(`${role} ${url}`)?.rest
    if (rest !== undefined) this.pages.set(`${role} ${url}`, { ...known, rest })
  }
}
