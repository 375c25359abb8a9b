import type { Question } from '../kit/action'
import { FIELDS } from '../kit/forms'
import { html, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import { sameCommand } from '../kit/parts'

/**
 * Asks before something is done: what the form had sent is sent again, with the answer.
 *
 * @param body what the form has sent.
 * @param isLast no other question follows.
 */
export function questionPage(
  visit: Visit,
  action: string,
  body: URLSearchParams,
  { title, lines, yes, fields = {} }: Question,
  { command, isLast }: { readonly command: string; readonly isLast: boolean },
): Html {
  const again = new URLSearchParams(body)
  for (const [name, value] of Object.entries(fields)) again.set(name, value)
  if (isLast) again.set(FIELDS.confirmed, 'yes')
  again.set(FIELDS.token, visit.token)
  const back = body.get(FIELDS.returnTo) ?? ''
  return html`<h1>${title}</h1>
    <ul>
      ${lines.map((line) => html`<li>${line}</li>`)}
    </ul>
    <form method="post" action="${action}">
      ${[...again].map(
        ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
      )}
      <button type="submit" class="danger">${yes}</button>
      ${sameCommand(command)}
    </form>
    <p><a href="${back.startsWith('/') ? back : visit.to([])}">No, go back</a></p>`
}
