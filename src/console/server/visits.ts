import { isNotAllowed, isRedisFailure } from '../../store/failure'
import { leastRole } from '../../operations/roles'
import { recordedAs } from '../access/person'
import type { Action, Question } from '../kit/action'
import { FIELDS } from '../kit/forms'
import { html, type Html } from '../kit/html'
import { liveOf } from '../kit/layout'
import type { Download, Page, Visit } from '../kit/page'
import { time } from '../kit/parts'
import { forgetShared } from '../kit/shared'
import { questionPage } from '../pages/question'
import { stripeOf } from '../pages/stripe'
import { textOf, TOKEN, type Answers } from './answers'
import { changedSince } from './changed-since'
import { formOf } from './form-data'
import { isOwnPath } from './guard'
import { LastKnown } from './last-known'
import { isOurForm, isPoll, mayDo, pathOf, type Request } from './request'
import type { ConsoleSite } from './site'

/** What a person who is signed in gets: pages, files, and what is done with a form. */
export class Visits {
  private readonly known = new LastKnown()

  constructor(
    private readonly site: ConsoleSite,
    private readonly answers: Answers,
  ) {}

  async show(c: Request, page: Page): Promise<Response> {
    if (!mayDo(c, page.least)) return this.answers.lacksRole(c, page.least)
    try {
      return await this.read(c, page)
    } catch (error) {
      const { role } = c.get('session').person
      const isAway = isRedisFailure(error) && !isNotAllowed(error)
      const last = isAway ? this.known.get(role, pathOf(c)) : undefined
      if (!last) throw error
      const live = (await textOf(awaySince(last.at))) + last.live
      if (isPoll(c)) return this.answers.live(c, live)
      return this.answers.framed(c, { ...last, live, url: pathOf(c) })
    }
  }

  async download(c: Request, download: Download): Promise<Response> {
    if (!mayDo(c, download.least)) return this.answers.lacksRole(c, download.least)
    const sent = new URLSearchParams(await c.req.text())
    if (!isOurForm(c, sent)) return this.answers.foreignForm(c)
    const { name, type, body } = await download.make(await this.visitOf(c), sent)
    c.header('Content-Disposition', `attachment; filename="${name.replace(/[^\w.-]/g, '_')}"`)
    c.header('Content-Type', type)
    return c.body(body)
  }

  async perform(c: Request, action: Action): Promise<Response> {
    const { site, answers } = this
    const ofOperation = leastRole(action.operation)
    if (!mayDo(c, ofOperation)) return answers.lacksRole(c, ofOperation)
    const session = c.get('session')
    const body = new URLSearchParams(await c.req.text())
    if (!isOurForm(c, body)) return answers.foreignForm(c)
    const why = await site.readOnly(true)
    if (why !== undefined) return answers.problem(c, 409, `Nothing was changed: ${why}`)
    const visit = await this.visitOf(c)
    const { writing } = visit
    if (!writing) {
      return answers.problem(c, 403, 'Nothing was changed: you have a role that only reads.')
    }
    const form = formOf(body)
    const input = action.read(form, visit.params)
    const least = (await action.least?.(input, visit)) ?? 'viewer'
    if (!mayDo(c, least)) return answers.lacksRole(c, least)

    const command = action.command(input)
    const ask = async (question: Question, isLast: boolean): Promise<Response> => {
      const asked = questionPage(visit, pathOf(c), body, question, { command, isLast })
      return this.page(c, question.title, asked)
    }
    const changed = await changedSince(visit, action.subject?.(input), form.text(FIELDS.seen))
    if (changed) return ask(changed, false)
    const question = form.isOn(FIELDS.confirmed) ? undefined : await action.question?.(input, visit)
    if (question) return ask(question, true)

    const by = recordedAs(session.person)
    const { tone, lines, page, next } = await action.run(writing, by, input, visit)
    forgetShared(site.reading)
    session.notice = { tone, lines, command }
    if (page) {
      return this.page(
        c,
        page.title,
        html`<h1>${page.title}</h1>
          ${page.rest}`,
      )
    }
    const back = form.text(FIELDS.returnTo)
    return c.redirect(next ? visit.to(next) : isOwnPath(back) ? back : visit.to([]), 303)
  }

  private async read(c: Request, page: Page): Promise<Response> {
    const { site, answers, known } = this
    const { role } = c.get('session').person
    const url = pathOf(c)
    const visit = await this.visitOf(c)
    if (page.isForPaper) {
      const { title, rest } = await page.show(visit)
      return answers.plain(c, title, rest)
    }
    const [shown, stripe] = await Promise.all([
      page.show(visit),
      site.readOnly(false).then((why) => stripeOf(visit, why)),
    ])
    const live = await textOf(liveOf(stripe, shown.live))
    const { title, status = 200 } = shown
    if (visit.isPoll) {
      known.keep(role, url, { at: Date.now(), title, live })
      return answers.live(c, live)
    }
    const rest = await textOf(shown.rest)
    if (status === 200) known.keep(role, url, { at: Date.now(), title, live, rest })
    return answers.framed(c, { title, live, rest, url }, status)
  }

  /** A page that is not read again. */
  private async page(c: Request, title: string, content: Html): Promise<Response> {
    return this.answers.framed(c, { title, live: '', rest: await textOf(content), url: '' })
  }

  private async visitOf(c: Request): Promise<Visit> {
    const { site } = this
    const { person } = c.get('session')
    const mayWrite = mayDo(c, 'operator') && (await site.readOnly(false)) === undefined
    return {
      ...{ person, store: site.reading, token: TOKEN, ...this.answers.links },
      writing: mayWrite ? site.signed(person) : undefined,
      config: await site.config(),
      params: c.req.param(),
      query: new URL(c.req.url).searchParams,
      isPoll: isPoll(c),
    }
  }
}

function awaySince(at: number): Html {
  return html`<p class="stripe bad" role="status">
    Redis does not answer: this is what was known at ${time(at)}, and nothing can be changed. Mail
    goes on by what each Haraka knows.
  </p>`
}
