import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { getCookie, setCookie } from 'hono/cookie'
import { secureHeaders } from 'hono/secure-headers'
import { InputError, NotFoundError, RefusedError, UserError } from '../../base/errors'
import { leastRole } from '../../operations/roles'
import { atLeast, type Role } from '../../records/role'
import { isNotAllowed, isRedisFailure } from '../../store/failure'
import type { Sender } from '../access/entry'
import { recordedAs } from '../access/person'
import { sameSecret } from '../access/secrets'
import type { Session } from '../access/sessions'
import { Throttle } from '../access/throttle'
import { ACTIONS } from '../actions/all'
import type { Action, Question } from '../kit/action'
import { FIELDS } from '../kit/forms'
import { html, NOTHING, raw, type Html } from '../kit/html'
import { frame, liveOf, plain } from '../kit/layout'
import type { Download, Page, Visit } from '../kit/page'
import { time } from '../kit/parts'
import { forgetShared } from '../kit/shared'
import { DOWNLOADS, NAVIGATION, PAGES } from '../pages/all'
import { questionPage } from '../pages/question'
import { stripeOf } from '../pages/stripe'
import { ASSETS } from './assets'
import { changedSince } from './changed-since'
import { formOf } from './form-data'
import { isOwnHost, isOwnPath, refusedWrite, type WriteRequest } from './guard'
import { LastKnown } from './last-known'
import { deadLink, signInForm, signInHelp, SIGNED_OUT } from './sign-in'
import type { ConsoleSite } from './site'

/** Octets of a form. */
const LARGEST = 64 * 1024

/** Forms that change something, in a minute and of a session. */
const MOST_WRITES = 120

/** Stands for the token in what is kept, and is replaced when a page is sent: pages are kept for all persons of a role. */
const TOKEN = randomBytes(16).toString('hex')

const POLICY = {
  defaultSrc: ["'none'"],
  ...{ scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'"], connectSrc: ["'self'"] },
  ...{ formAction: ["'self'"], baseUri: ["'none'"], frameAncestors: ["'none'"] },
}

interface Env {
  Variables: { session: Session }
  /** What a server adds to a request. */
  Bindings: { readonly incoming?: Pick<IncomingMessage, 'rawHeaders' | 'socket'> }
}
type Request = Context<Env>
type Status = 400 | 401 | 403 | 404 | 409 | 421 | 429 | 500 | 503

/** The console as a function of requests: it listens nowhere. */
export function consoleApp(site: ConsoleSite): Hono<Env> {
  const app = new Hono<Env>({ strict: false }).basePath(site.base)
  const known = new LastKnown()
  const writes = new Throttle(MOST_WRITES)

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
  for (const [name, asset] of ASSETS) {
    app.get(`/assets/${name}`, (c) => {
      c.header('Cache-Control', 'public, max-age=3600')
      return c.body(asset.body, 200, { 'Content-Type': asset.type })
    })
  }

  app.get('/sign-in/:token', (c) =>
    signIn(c, ({ token, address }) => {
      const person = site.entry.look(token, address)
      if (!person) return undefined
      const form = signInForm(pathOf(c), person, site.host)
      return send(c, plain(links(site), 'Sign in', form))
    }),
  )
  app.post('/sign-in/:token', (c) =>
    signIn(c, ({ token, address }) => {
      const why = refusedWrite(writeRequest(c), site.origins)
      if (why !== undefined) return problem(c, 403, `You are not signed in: ${why}.`)
      const begun = site.entry.signIn(token, address, cookieOf(c))
      if (!begun) return undefined
      setCookie(c, site.cookie.name, begun.cookie, cookieOptions(site))
      return c.redirect(links(site).to([]), 303)
    }),
  )

  // From here on a person is signed in.
  app.use(async (c, next) => {
    const arrival = site.entry.arrive({
      ...senderOf(c),
      ...{ cookie: cookieOf(c), isUse: !isPoll(c) },
    })
    if ('why' in arrival) return problem(c, arrival.status, arrival.why)
    const { session, cookie } = arrival
    if (!session) return send(c, plain(links(site), 'Not signed in', signInHelp(site.entry)), 401)
    if (cookie !== undefined) setCookie(c, site.cookie.name, cookie, cookieOptions(site))
    c.set('session', session)
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return next()
    const why = refusedWrite(writeRequest(c), site.origins)
    if (why !== undefined) return problem(c, 403, `Nothing was changed: ${why}.`)
    const wait = writes.wait(session.id)
    if (wait > 0) return tooMany(c, `Nothing was changed: ${MOST_WRITES} forms in a minute`, wait)
    writes.count(session.id)
    return next()
  })
  app.post('/sign-out', async (c) => {
    const session = c.get('session')
    if (!isOurForm(c, new URLSearchParams(await c.req.text()))) return foreignForm(c)
    site.entry.sessions.end(session.id)
    setCookie(c, site.cookie.name, '', { ...cookieOptions(site), maxAge: 0 })
    return send(c, plain(links(site), 'Signed out', SIGNED_OUT[session.person.provider]))
  })
  for (const page of PAGES) {
    app.get(page.path, (c) => forRole(c, page.least, () => showPage(c, page)))
  }
  for (const download of DOWNLOADS) {
    app.post(download.path, (c) => forRole(c, download.least, () => makeDownload(c, download)))
  }
  for (const action of ACTIONS) {
    app.post(action.path, (c) =>
      forRole(c, leastRole(action.operation), () => perform(c, action as Action)),
    )
  }
  app.notFound((c) => problem(c, 404, 'There is no such page.'))
  app.onError((error, c) => failed(c, error))
  return app

  function cookieOf(c: Request): string | undefined {
    return getCookie(c, site.cookie.name)
  }

  /** Answers at a link. @param go makes the answer; `undefined`: the link does not work. */
  function signIn(
    c: Request,
    go: (of: {
      readonly token: string
      readonly address: string
    }) => Response | Promise<Response> | undefined,
  ): Response | Promise<Response> {
    const from = site.entry.sender(senderOf(c))
    if ('why' in from) return problem(c, from.status, from.why)
    const { address } = from
    const wait = site.entry.wait(address)
    if (wait > 0) return tooMany(c, 'Too many links that do not work', wait)
    const answer = go({ token: c.req.param('token') ?? '', address })
    return answer ?? send(c, plain(links(site), 'This link does not work', deadLink()), 404)
  }

  function tooMany(c: Request, what: string, wait: number): Promise<Response> {
    c.header('Retry-After', String(wait))
    return problem(c, 429, `${what}: wait ${wait} s.`)
  }

  /** Whether a form has the token of the session. */
  function isOurForm(c: Request, sent: URLSearchParams): boolean {
    return sameSecret(sent.get(FIELDS.token) ?? '', c.get('session').token)
  }

  function foreignForm(c: Request): Promise<Response> {
    return problem(
      c,
      403,
      'Nothing was changed: this form is of another session. Load the page again.',
    )
  }

  async function forRole(
    c: Request,
    least: Role | undefined,
    go: () => Promise<Response>,
  ): Promise<Response> {
    return mayDo(c, least) ? go() : lacksRole(c, least)
  }

  /** @param least `undefined`: no role may. */
  function mayDo(c: Request, least: Role | undefined): boolean {
    return least !== undefined && atLeast(c.get('session').person.role, least)
  }

  function lacksRole(c: Request, least: Role | undefined): Promise<Response> {
    const { role } = c.get('session').person
    const who = least === undefined ? 'no role' : `the role ${least}`
    return problem(c, 403, `That takes ${who}; you have the role ${role}.`)
  }

  async function visitOf(c: Request): Promise<Visit> {
    const { person } = c.get('session')
    const mayWrite = atLeast(person.role, 'operator') && (await site.readOnly(false)) === undefined
    return {
      ...{ person, store: site.reading, token: TOKEN, ...links(site) },
      writing: mayWrite ? site.signed(person) : undefined,
      config: await site.config(),
      params: c.req.param(),
      query: new URL(c.req.url).searchParams,
      isPoll: isPoll(c),
    }
  }

  async function showPage(c: Request, page: Page): Promise<Response> {
    const { role } = c.get('session').person
    const url = pathOf(c)
    try {
      const visit = await visitOf(c)
      if (page.isForPaper) {
        const { title, rest } = await page.show(visit)
        return await send(c, plain(visit, title, rest))
      }
      const [shown, stripe] = await Promise.all([
        page.show(visit),
        site.readOnly(false).then((why) => stripeOf(visit, why)),
      ])
      const live = await textOf(liveOf(stripe, shown.live))
      const { title, status = 200 } = shown
      if (visit.isPoll) {
        known.keep(role, url, { at: Date.now(), title, live })
        return sendLive(c, live)
      }
      const rest = await textOf(shown.rest)
      if (status === 200) known.keep(role, url, { at: Date.now(), title, live, rest })
      return framed(c, { title, live, rest, url }, status)
    } catch (error) {
      const last = isRedisFailure(error) && !isNotAllowed(error) ? known.get(role, url) : undefined
      if (!last) throw error
      const live = (await textOf(awaySince(last.at))) + last.live
      if (isPoll(c)) return sendLive(c, live)
      return framed(c, { ...last, live, url }, 200)
    }
  }

  /** Sends a whole page. */
  async function framed(
    c: Request,
    { title, live, rest, url }: Readonly<Record<'title' | 'live' | 'rest' | 'url', string>>,
    status: 200 | Status,
  ): Promise<Response> {
    const session = c.get('session')
    const { notice } = session
    session.notice = undefined
    const visit = { person: session.person, ...links(site) } as Visit
    const content = frame(
      visit,
      session,
      {
        ...{ title, url, notice, stripe: NOTHING, tag: tagOf(live) },
        // Made of templates, and kept as text.
        ...{ live: raw(live), rest: raw(rest) },
      },
      NAVIGATION.filter(([, , least]) => atLeast(session.person.role, least)).map(
        ([segments, text]) => [segments, text] as const,
      ),
    )
    return send(c, content, status)
  }

  async function makeDownload(c: Request, download: Download): Promise<Response> {
    const sent = new URLSearchParams(await c.req.text())
    if (!isOurForm(c, sent)) return foreignForm(c)
    const { name, type, body } = await download.make(await visitOf(c), sent)
    c.header('Content-Disposition', `attachment; filename="${name.replace(/[^\w.-]/g, '_')}"`)
    c.header('Content-Type', type)
    return c.body(body)
  }

  async function perform(c: Request, action: Action): Promise<Response> {
    const session = c.get('session')
    const body = new URLSearchParams(await c.req.text())
    if (!isOurForm(c, body)) return foreignForm(c)
    const why = await site.readOnly(true)
    if (why !== undefined) return problem(c, 409, `Nothing was changed: ${why}`)
    const visit = await visitOf(c)
    const form = formOf(body)
    const input = action.read(form, visit.params)
    const least = (await action.least?.(input, visit)) ?? 'viewer'
    if (!mayDo(c, least)) return lacksRole(c, least)
    const { writing } = visit
    if (!writing) return problem(c, 403, 'Nothing was changed: you have a role that only reads.')
    const ask = async (question: Question, isLast: boolean): Promise<Response> => {
      const command = action.command(input)
      const asked = questionPage(visit, pathOf(c), body, question, { command, isLast })
      return framed(c, { title: question.title, live: '', rest: await textOf(asked), url: '' }, 200)
    }
    const changed = await changedSince(visit, action.subject?.(input), form.text(FIELDS.seen))
    if (changed) return ask(changed, false)
    if (!form.isOn(FIELDS.confirmed)) {
      const question = await action.question?.(input, visit)
      if (question) return ask(question, true)
    }
    const { tone, lines, page, next } = await action.run(
      writing,
      recordedAs(session.person),
      input,
      visit,
    )
    forgetShared(site.reading)
    session.notice = { tone, lines, command: action.command(input) }
    if (page) {
      const shown = html`<h1>${page.title}</h1>
        ${page.rest}`
      return framed(c, { title: page.title, live: '', rest: await textOf(shown), url: '' }, 200)
    }
    const back = form.text(FIELDS.returnTo)
    const to = next ? visit.to(next) : isOwnPath(back) ? back : visit.to([])
    return c.redirect(to, 303)
  }

  /** An answer in a sentence, in place of a page. */
  async function problem(
    c: Request,
    status: keyof typeof TITLES,
    sentence: string,
  ): Promise<Response> {
    const title = TITLES[status]
    const text = html`<p class="problem">${sentence}</p>`
    if (!c.get('session')) return send(c, plain(links(site), title, text), status)
    const rest = await textOf(
      html`<h1>${title}</h1>
        ${text}`,
    )
    return framed(c, { title, live: '', rest, url: '' }, status)
  }

  function failed(c: Request, error: unknown): Promise<Response> {
    if (error instanceof NotFoundError) return problem(c, 404, error.message)
    if (error instanceof InputError) return problem(c, 400, error.message)
    if (error instanceof RefusedError) return problem(c, 409, error.message)
    if (error instanceof UserError) return problem(c, 409, error.message)
    if (isRedisFailure(error)) {
      return problem(
        c,
        503,
        isNotAllowed(error)
          ? 'The Redis user of the console may not do this: load the ACL files of docs/acl.'
          : 'Redis does not answer, and this page was not shown before. Mail goes on by what each Haraka knows.',
      )
    }
    site.onFault(error)
    return problem(c, 500, 'A fault in the console: its log has the details.')
  }

  function sendLive(c: Request, live: string): Response | Promise<Response> {
    const tag = tagOf(live)
    if (c.req.header('hx-ptag') === tag) return c.body(null, 304)
    c.header('HX-PTag', tag)
    return send(c, raw(live))
  }

  async function send(c: Request, content: Html, status: 200 | Status = 200): Promise<Response> {
    const text = (await textOf(content)).replaceAll(TOKEN, c.get('session')?.token ?? '')
    return c.html(text, status)
  }
}

const TITLES = {
  400: 'That cannot be done',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Not done',
  429: 'Too many requests',
  500: 'A fault',
  503: 'Redis does not answer',
} as const

/** Links of a console. Templates escape what comes out. */
function links({ base }: Pick<ConsoleSite, 'base'>): Pick<Visit, 'to'> {
  return {
    to: (segments, query) => {
      const path = `${base}/${segments.map(encodeURIComponent).join('/')}`
      return query ? `${path}?${new URLSearchParams(query).toString()}` : path
    },
  }
}

export function cookieOptions({ cookie, base }: Pick<ConsoleSite, 'cookie' | 'base'>) {
  const path = cookie.name.startsWith('__Host-') ? '/' : `${base}/`
  return { httpOnly: true, sameSite: 'Lax', secure: cookie.secure, path } as const
}

function writeRequest(c: Request): WriteRequest {
  return {
    origin: c.req.header('origin'),
    fetchSite: c.req.header('sec-fetch-site'),
    contentType: c.req.header('content-type'),
  }
}

function senderOf(c: Request): Sender {
  // Without a server there is none.
  const incoming = (c.env as Env['Bindings'] | undefined)?.incoming
  return {
    headers: incoming?.rawHeaders ?? [...c.req.raw.headers].flat(),
    peer: incoming?.socket.remoteAddress ?? 'a socket',
  }
}

function isPoll(c: Request): boolean {
  return c.req.header('hx-request') === 'true'
}

function pathOf(c: Request): string {
  const { pathname, search } = new URL(c.req.url)
  return pathname + search
}

async function textOf(content: Html): Promise<string> {
  return String(await content)
}

function tagOf(live: string): string {
  return createHash('sha256').update(live).digest('hex').slice(0, 16)
}

function awaySince(at: number): Html {
  return html`<p class="stripe bad" role="status">
    Redis does not answer: this is what was known at ${time(at)}, and nothing can be changed. Mail
    goes on by what each Haraka knows.
  </p>`
}
