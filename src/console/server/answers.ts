import { createHash, randomBytes } from 'node:crypto'
import { InputError, NotFoundError, UserError } from '../../base/errors'
import { atLeast, type Role } from '../../records/role'
import { isNotAllowed, isRedisFailure } from '../../store/failure'
import { html, NOTHING, raw, type Html } from '../kit/html'
import { frame, plain } from '../kit/layout'
import type { Visit } from '../kit/page'
import { NAVIGATION } from '../pages/all'
import { isOwnPath } from './guard'
import { pathOf, type Request } from './request'
import type { ConsoleSite } from './site'

/** Stands for the token in what is kept, and is replaced when a page is sent: pages are kept for all persons of a role. */
export const TOKEN = randomBytes(16).toString('hex')

const TITLES = {
  400: 'That cannot be done',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Not done',
  429: 'Too many requests',
  500: 'A fault',
  503: 'Redis does not answer',
} as const

type Status = 200 | 401 | keyof typeof TITLES

/** A page as text, for {@link Answers.framed}. */
export type Rendered = Readonly<Record<'title' | 'live' | 'rest', string>> & {
  /** Where what is live is asked for again; empty: nowhere. */
  readonly url: string
}

/** How the console answers. */
export class Answers {
  constructor(private readonly site: ConsoleSite) {}

  /** Links of the console. Templates escape what comes out. */
  get links(): Pick<Visit, 'to'> {
    const { base } = this.site
    return {
      to: (segments, query) => {
        const path = `${base}/${segments.map(encodeURIComponent).join('/')}`
        return query ? `${path}?${new URLSearchParams(query).toString()}` : path
      },
    }
  }

  async send(c: Request, content: Html, status: Status = 200): Promise<Response> {
    const text = (await textOf(content)).replaceAll(TOKEN, c.get('session')?.token ?? '')
    return c.html(text, status)
  }

  /** To a person who is not signed in, or for paper. */
  plain(c: Request, title: string, content: Html, status: Status = 200): Promise<Response> {
    return this.send(c, plain(this.links, title, content), status)
  }

  /** A whole page of a person who is signed in. */
  framed(
    c: Request,
    { title, live, rest, url }: Rendered,
    status: Status = 200,
  ): Promise<Response> {
    const session = c.get('session')
    const { person, notice } = session
    session.notice = undefined
    const content = frame(
      { person, ...this.links } as Visit,
      session,
      {
        ...{ title, url, notice, stripe: NOTHING, tag: tagOf(live) },
        // Made of templates, and kept as text.
        ...{ live: raw(live), rest: raw(rest) },
      },
      NAVIGATION.filter(([, , least]) => atLeast(person.role, least)).map(
        ([segments, text]) => [segments, text] as const,
      ),
    )
    return this.send(c, content, status)
  }

  /** What a poll gets; nothing where it has that already. */
  live(c: Request, live: string): Response | Promise<Response> {
    const tag = tagOf(live)
    if (c.req.header('hx-ptag') === tag) return c.body(null, 304)
    c.header('HX-PTag', tag)
    return this.send(c, raw(live))
  }

  /** A sentence in place of a page. */
  async problem(c: Request, status: keyof typeof TITLES, sentence: string): Promise<Response> {
    const title = TITLES[status]
    const text = html`<p class="problem">${sentence}</p>`
    if (!c.get('session')) return this.plain(c, title, text, status)
    const back = this.cameFrom(c)
    const rest = await textOf(
      html`<h1>${title}</h1>
        ${text} ${back === undefined ? NOTHING : html`<p><a href="${back}">Go back</a></p>`}`,
    )
    return this.framed(c, { title, live: '', rest, url: '' }, status)
  }

  tooMany(c: Request, what: string, wait: number): Promise<Response> {
    c.header('Retry-After', String(wait))
    return this.problem(c, 429, `${what}: wait ${wait} s.`)
  }

  foreignForm(c: Request): Promise<Response> {
    const why = 'this form is of another session. Load the page again.'
    return this.problem(c, 403, `Nothing was changed: ${why}`)
  }

  /** @param least `undefined`: no role may. */
  lacksRole(c: Request, least: Role | undefined): Promise<Response> {
    const { role } = c.get('session').person
    const who = least === undefined ? 'no role' : `the role ${least}`
    return this.problem(c, 403, `That takes ${who}; you have the role ${role}.`)
  }

  /** What was thrown, as a sentence. */
  failed(c: Request, error: unknown): Promise<Response> {
    if (error instanceof NotFoundError) return this.problem(c, 404, error.message)
    if (error instanceof InputError) return this.problem(c, 400, error.message)
    if (error instanceof UserError) return this.problem(c, 409, error.message)
    if (isRedisFailure(error)) {
      return this.problem(c, 503, isNotAllowed(error) ? NOT_ALLOWED : AWAY)
    }
    this.site.onFault(error)
    return this.problem(c, 500, 'A fault in the console: its log has the details.')
  }

  /** The page of the console that a request came from. */
  private cameFrom(c: Request): string | undefined {
    const referer = c.req.header('referer') ?? ''
    if (!URL.canParse(referer)) return undefined
    const { origin, pathname, search } = new URL(referer)
    const path = pathname + search
    const isOther = this.site.origins.includes(origin) && path !== pathOf(c)
    return isOther && isOwnPath(path) ? path : undefined
  }
}

const NOT_ALLOWED = 'The Redis user of the console may not do this: load the ACL files of docs/acl.'
const AWAY =
  'Redis does not answer, and this page was not shown before. Mail goes on by what each Haraka knows.'

export async function textOf(content: Html): Promise<string> {
  return String(await content)
}

/** Identifies what is live. */
function tagOf(live: string): string {
  return createHash('sha256').update(live).digest('hex').slice(0, 16)
}
