import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { getCookie, setCookie } from 'hono/cookie'
import { secureHeaders } from 'hono/secure-headers'
import { Throttle } from '../access/throttle'
import { ACTIONS } from '../actions/all'
import type { Action } from '../kit/action'
import { DOWNLOADS, PAGES } from '../pages/all'
import { Answers } from './answers'
import { ASSETS } from './assets'
import { isOwnHost, refusedWrite } from './guard'
import {
  isOurForm,
  isPoll,
  pathOf,
  senderOf,
  writeRequest,
  type Env,
  type Request,
} from './request'
import { deadLink, signInForm, signInHelp, SIGNED_OUT } from './sign-in'
import type { ConsoleSite } from './site'
import { Visits } from './visits'

/** Octets of a form. */
const LARGEST = 64 * 1024

/** Forms that change something, in a minute and of a session. */
const MOST_WRITES = 120

const POLICY = {
  defaultSrc: ["'none'"],
  ...{ scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'"], connectSrc: ["'self'"] },
  ...{ formAction: ["'self'"], baseUri: ["'none'"], frameAncestors: ["'none'"] },
}

/** The console as a function of requests: it listens nowhere. */
export function consoleApp(site: ConsoleSite): Hono<Env> {
  const app = new Hono<Env>({ strict: false }).basePath(site.base)
  const answers = new Answers(site)
  const visits = new Visits(site, answers)
  keepOthersOut(app, site)
  for (const [name, asset] of ASSETS) {
    app.get(`/assets/${name}`, (c) => {
      c.header('Cache-Control', 'public, max-age=3600')
      return c.body(asset.body, 200, { 'Content-Type': asset.type })
    })
  }
  // Browsers ask for it by themselves.
  app.get('/favicon.ico', (c) => c.body(null, 204))
  letPeopleIn(app, site, answers)
  // From here on a person is signed in.
  for (const page of PAGES) app.get(page.path, (c) => visits.show(c, page))
  for (const file of DOWNLOADS) app.post(file.path, (c) => visits.download(c, file))
  for (const action of ACTIONS) app.post(action.path, (c) => visits.perform(c, action as Action))
  app.notFound((c) => answers.problem(c, 404, 'There is no such page.'))
  app.onError((error, c) => answers.failed(c, error))
  return app
}

/** What holds for every answer, and for every request before it is read. */
function keepOthersOut(app: Hono<Env>, site: ConsoleSite): void {
  app.use(
    secureHeaders({
      contentSecurityPolicy: POLICY,
      // Under no-referrer browsers send `Origin: null` with a form.
      referrerPolicy: 'same-origin',
      xFrameOptions: 'DENY',
      // Other names below this host are none of the console's.
      strictTransportSecurity: site.cookie.secure && 'max-age=15552000',
    }),
  )
  app.use(async (c, next) => {
    c.header('Cache-Control', 'no-store')
    if (!isOwnHost(c.req.header('host'), site.origins)) {
      return c.text('Host is not a name of this console: see [console] public_url and hosts\n', 421)
    }
    return next()
  })
  app.use(
    bodyLimit({
      maxSize: LARGEST,
      onError: (c) => c.text('the form is larger than 64 KB\n', 413),
    }),
  )
}

/** The sign-in and the sign-out. What is routed later has a session, and changes something from our own forms only. */
function letPeopleIn(app: Hono<Env>, site: ConsoleSite, answers: Answers): void {
  const { entry, cookie, base } = site
  const writes = new Throttle(MOST_WRITES)
  const path = cookie.name.startsWith('__Host-') ? '/' : `${base}/`
  const options = { httpOnly: true, sameSite: 'Lax', secure: cookie.secure, path } as const
  const cookieOf = (c: Request): string | undefined => getCookie(c, cookie.name)

  /** Answers at a link. @param go makes the answer; `undefined`: the link does not work. */
  const atLink = (
    c: Request,
    go: (token: string, address: string) => Response | Promise<Response> | undefined,
  ): Response | Promise<Response> => {
    const from = entry.sender(senderOf(c))
    if ('why' in from) return answers.problem(c, from.status, from.why)
    const { address } = from
    const wait = entry.wait(address)
    if (wait > 0) return answers.tooMany(c, 'Too many links that do not work', wait)
    const answer = go(c.req.param('token') ?? '', address)
    return answer ?? answers.plain(c, 'This link does not work', deadLink(), 404)
  }

  app.get('/sign-in/:token', (c) =>
    atLink(c, (token, address) => {
      const person = entry.look(token, address)
      return person && answers.plain(c, 'Sign in', signInForm(pathOf(c), person, site.host))
    }),
  )
  app.post('/sign-in/:token', (c) =>
    atLink(c, (token, address) => {
      const why = refusedWrite(writeRequest(c), site.origins)
      if (why !== undefined) return answers.problem(c, 403, `You are not signed in: ${why}.`)
      const begun = entry.signIn(token, address, cookieOf(c))
      if (!begun) return undefined
      setCookie(c, cookie.name, begun.cookie, options)
      return c.redirect(answers.links.to([]), 303)
    }),
  )
  app.use(async (c, next) => {
    const arrival = entry.arrive({ ...senderOf(c), cookie: cookieOf(c), isUse: !isPoll(c) })
    if ('why' in arrival) return answers.problem(c, arrival.status, arrival.why)
    const { session, cookie: begun } = arrival
    if (!session) return answers.plain(c, 'Not signed in', signInHelp(entry), 401)
    if (begun !== undefined) setCookie(c, cookie.name, begun, options)
    c.set('session', session)
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return next()
    const why = refusedWrite(writeRequest(c), site.origins)
    if (why !== undefined) return answers.problem(c, 403, `Nothing was changed: ${why}.`)
    const wait = writes.wait(session.id)
    if (wait > 0) {
      return answers.tooMany(c, `Nothing was changed: ${MOST_WRITES} forms in a minute`, wait)
    }
    writes.count(session.id)
    return next()
  })
  app.post('/sign-out', async (c) => {
    const session = c.get('session')
    if (!isOurForm(c, new URLSearchParams(await c.req.text()))) return answers.foreignForm(c)
    entry.sessions.end(session.id)
    setCookie(c, cookie.name, '', { ...options, maxAge: 0 })
    return answers.plain(c, 'Signed out', SIGNED_OUT[session.person.provider])
  })
}
