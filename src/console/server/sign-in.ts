import type { Entry } from '../access/entry'
import type { Person } from '../access/person'
import { html, type Html } from '../kit/html'

const MAKE_LINK = html`<p>
    On the host of the console, this makes a link. It signs in once, within ten minutes:
  </p>
  <p class="command"><code>tenantctl console link</code></p>`

/** For a person who is not signed in. */
export function signInHelp({ proxy }: Entry): Html {
  if (!proxy) return MAKE_LINK
  return html`<p>The proxy before this console did not say who you are: sign in there.</p>
    ${MAKE_LINK}`
}

export function signInForm(path: string, { name, role }: Person, host: string): Html {
  return html`<form method="post" action="${path}">
    <button type="submit">Sign in as ${name} on ${host}, ${role}</button>
  </form>`
}

export function deadLink(): Html {
  return html`<p class="problem">
      It was used, or is older than ten minutes, or the console was started again.
    </p>
    ${MAKE_LINK}`
}

/** By what had let the person in. */
export const SIGNED_OUT: Readonly<Record<Person['provider'], Html>> = {
  console: MAKE_LINK,
  web: html`<p>
    The proxy before this console still knows who you are: sign out there too, or the next page
    signs you in again.
  </p>`,
}
