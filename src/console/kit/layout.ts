import { html, NOTHING, type Html } from './html'
import type { Notice, Session } from '../access/sessions'
import type { Visit } from './page'
import { sameCommand, time } from './parts'

/** How often a page asks for what is live. */
const POLL = 'every 5s'

/** Of htmx. A morph leaves `open` to the reader. */
const HTMX = JSON.stringify({
  includeIndicatorCSS: false,
  history: false,
  extensions: 'ptag',
  noSwap: [204, 304, '4xx', '5xx'],
  morphIgnore: ['data-htmx-powered', 'open'],
})

/** A page of a person who is signed in. */
export interface Framed {
  readonly title: string
  readonly live: Html | undefined
  readonly rest: Html
  /** What every page says on top: see `stripe.ts`. */
  readonly stripe: Html
  readonly notice: Notice | undefined
  /** Path and query of this page. */
  readonly url: string
  /** Identifies what is live. */
  readonly tag: string
}

/** Links of the navigation: segments of the path and the words. */
export type Navigation = readonly (readonly [segments: readonly string[], text: string])[]

export function frame(
  visit: Visit,
  session: Session,
  { title, live, rest, stripe, notice, url, tag }: Framed,
  navigation: Navigation,
): Html {
  const { person } = visit
  const [here] = url.split('?')
  return document(
    visit,
    // What was done is what screen readers say first.
    [...(notice?.lines.slice(0, 1) ?? []), title].join(' · '),
    html`<a class="skip" href="#content">Skip to the content</a>
      <header>
        <p class="brand"><a href="${visit.to([])}">Unregistered domains</a></p>
        <form class="search" role="search" method="get" action="${visit.to(['search'])}">
          <label for="q" class="hidden"
            >Find a tenant, domain, connector, case, address or Message-ID</label
          >
          <input
            type="search"
            id="q"
            name="q"
            minlength="3"
            maxlength="250"
            required
            placeholder="Tenant, domain, case, address …"
          />
          <button type="submit">Find</button>
        </form>
        ${url === '' ? NOTHING : updates()}
        <form class="who" method="post" action="${visit.to(['sign-out'])}">
          <span>${person.name}, ${person.role}</span>
          <input type="hidden" name="token" value="${session.token}" />
          <button type="submit">Sign out</button>
        </form>
        <nav aria-label="Pages">
          <ul>
            ${navigation.map(([segments, text]) => {
              const link = visit.to(segments)
              const current = link === here ? html`aria-current="page"` : NOTHING
              return html`<li><a href="${link}" ${current}>${text}</a></li>`
            })}
          </ul>
        </nav>
      </header>
      <main id="content" tabindex="-1">
        ${notice ? noticeOf(notice) : NOTHING}
        <div id="live" ${url === '' ? NOTHING : polling(url, tag)}>${liveOf(stripe, live)}</div>
        ${rest}
      </main>`,
  )
}

/** What `console.js` adds to a page whose live part is asked for again. */
function updates(): Html {
  return html`<p class="updates" id="updates">
    <span role="status"></span>
    <span>Last checked ${time(Date.now())}</span>
    <button type="button" class="pause" aria-pressed="false">Pause updates</button>
  </p>`
}

/**
 * Morphing keeps focus, scrolled tables and open details. Only an answer of a page is shown: neither an error nor the form
 * of a proxy that signs people in (see `console.js`).
 */
function polling(url: string, tag: string): Html {
  return html`data-hx-get="${url}" data-hx-trigger="${POLL}" data-hx-swap="innerMorph"
  data-hx-ptag="${tag}"`
}

/** What a poll gets: the stripe, of which screen readers say what is new, and what is live. */
export function liveOf(stripe: Html, live: Html | undefined): Html {
  return html`<div id="stripe" role="status">${stripe}</div>
    ${live ?? NOTHING}`
}

/** A page of a person who is not signed in. */
export function plain(visit: Pick<Visit, 'to'>, title: string, content: Html): Html {
  return document(
    visit,
    title,
    html`<header><p class="brand">Unregistered domains</p></header>
      <main id="content">
        <h1>${title}</h1>
        ${content}
      </main>`,
  )
}

function noticeOf({ tone, lines, command }: Notice): Html {
  return html`<div class="notice ${tone}" role="status">
    ${lines.map((line) => html`<p>${line}</p>`)}
    ${command === undefined ? NOTHING : sameCommand(command)}
  </div>`
}

function document({ to }: Pick<Visit, 'to'>, title: string, body: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <meta name="htmx-config" content="${HTMX}" />
        <title>${title} · Unregistered domains</title>
        <link rel="stylesheet" href="${to(['assets', 'console.css'])}" />
        <script src="${to(['assets', 'htmx.min.js'])}" defer></script>
        <script src="${to(['assets', 'hx-ptag.min.js'])}" defer></script>
        <script src="${to(['assets', 'console.js'])}" defer></script>
      </head>
      <body>
        ${body}
      </body>
    </html>`
}
