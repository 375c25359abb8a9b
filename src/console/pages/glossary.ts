import { html, NOTHING } from '../kit/html'
import type { Page } from '../kit/page'
import { WORDS, type Word } from '../kit/words'

/** What the words of the console mean. */
export const GLOSSARY: Page = {
  path: '/glossary',
  least: 'viewer',
  show: () =>
    Promise.resolve({
      title: 'Glossary',
      rest: html`<h1>Glossary</h1>
        <dl class="glossary">
          ${(Object.entries(WORDS) as [string, Word][]).map(
            ([name, { title, meaning, exchange }]) =>
              html`<dt id="${name}">
                  ${title}${exchange ? html` <small>(${exchange})</small>` : NOTHING}
                </dt>
                <dd>${meaning}</dd>`,
          )}
        </dl>`,
    }),
}
