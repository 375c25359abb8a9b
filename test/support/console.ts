import { Entry } from '../../src/console/access/entry'
import type { Session } from '../../src/console/access/sessions'
import { recordedAs, type Person } from '../../src/console/access/person'
import { consoleApp } from '../../src/console/server/app'
import type { ConsoleSite } from '../../src/console/server/site'
import { parseConfig, type Config } from '../../src/process/config'
import { actorText } from '../../src/records/actor'
import type { Role } from '../../src/records/role'
import { newSite, type Site } from './registry'

export { startConsole, type TestConsole } from '../../scripts/services/console'

export const ORIGIN = 'http://127.0.0.1:8025'

/** A person with a browser: what they send carries their cookie, and forms their token. */
export interface Browser {
  readonly session: Session
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>
  /** The page as text. */
  page(path: string): Promise<string>
  /** Sends a form, as a browser does from a page of the console. */
  post(
    path: string,
    fields?: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Response>
  /** Sends a request without a body. */
  send(method: string, path: string): Promise<Response>
  /** Sends a form, and what the page after it says. */
  done(path: string, fields?: Readonly<Record<string, string>>): Promise<string>
}

export interface ConsoleAtHand extends Site {
  readonly app: ReturnType<typeof consoleApp>
  readonly console: ConsoleSite
  /** Faults of the program: a test that expects none checks that it is empty. */
  readonly faults: unknown[]
  /** Lines of the log: who signed in, and who did not. */
  readonly log: string[]
  /** A person of a role, signed in. */
  readonly as: (role: Role, name?: string) => Browser
}

/**
 * The console over keys that no other test uses, without a network: after `useRedis()`.
 *
 * @param ini sections of unregistered-domain.ini, as haraka-config reads it.
 */
export function newConsole(
  ini: Record<string, Record<string, unknown>> = {},
  changed: Partial<ConsoleSite> = {},
  site: Site = newSite(),
): ConsoleAtHand {
  const { config }: { readonly config: Config } = parseConfig(ini, '/nowhere')
  const faults: unknown[] = []
  const log: string[] = []
  const consoleSite: ConsoleSite = {
    reading: site.store,
    writing: site.store,
    entry: new Entry(undefined, (line) => log.push(line)),
    config: () => Promise.resolve(config),
    signed: (person) =>
      site.store.as(actorText({ os: 'root', redis: 'default', note: recordedAs(person) })),
    readOnly: () => Promise.resolve(undefined),
    origins: [ORIGIN],
    base: '',
    cookie: { name: 'ud-test', secure: false },
    host: 'mx1',
    onFault: (error) => faults.push(error),
    ...changed,
  }
  const app = consoleApp(consoleSite)
  const as = (role: Role, name = 'ann'): Browser => {
    const person: Person = { provider: 'console', subject: name, name, role }
    const { cookie, session } = consoleSite.entry.sessions.begin(person, '192.0.2.1')
    const common = { host: '127.0.0.1:8025', cookie: `${consoleSite.cookie.name}=${cookie}` }
    const url = (path: string): string => (path.startsWith('http') ? path : ORIGIN + path)
    const get: Browser['get'] = async (path, headers = {}) =>
      app.request(url(path), { headers: { ...common, ...headers } })
    const post: Browser['post'] = async (path, fields = {}, headers = {}) =>
      app.request(url(path), {
        method: 'POST',
        headers: {
          ...{ ...common, origin: ORIGIN, 'sec-fetch-site': 'same-origin' },
          ...{ 'content-type': 'application/x-www-form-urlencoded', ...headers },
        },
        body: new URLSearchParams({ token: session.token, ...fields }).toString(),
      })
    const send: Browser['send'] = async (method, path) =>
      app.request(url(path), { method, headers: { ...common, origin: ORIGIN } })
    const page: Browser['page'] = async (path) => (await get(path)).text()
    const done: Browser['done'] = async (path, fields) => {
      const response = await post(path, fields)
      const to = response.headers.get('location')
      return to === null ? response.text() : page(to)
    }
    return { session, get, send, page, post, done }
  }
  return { ...site, app, console: consoleSite, faults, log, as }
}

/** What a person reads of a page: without tags, and with single spaces. */
export function textOf(page: string): string {
  return page
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ')
}
