import { html, NOTHING } from '../kit/html'
import type { Page } from '../kit/page'
import { WORDS, type Word } from '../kit/words'

const IN_ORDER = (Object.entries(WORDS) as [string, Word][]).sort(([, a], [, b]) =>
  a.title.localeCompare(b.title, 'en'),
)

/** What the words of the console mean. */
export const GLOSSARY: Page = {
  path: '/glossary',
  least: 'viewer',
  show: () =>
    Promise.resolve({
      title: 'Glossary',
      rest: html`<h1>Glossary</h1>
        <dl class="glossary">
          ${IN_ORDER.map(
            ([name, { title, meaning, exchange }]) =>
              html`<div id="${name}">
                <dt>${title}</dt>
                <dd>${meaning}${exchange ? html` (Exchange: ${exchange})` : NOTHING}</dd>
              </div>`,
          )}
        </dl>`,
    }),
}
