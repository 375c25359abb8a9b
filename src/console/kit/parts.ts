import { isoDay, isoTime, shortTime } from '../../base/time'
import { html, NOTHING, type Html } from './html'
import type { Visit } from './page'
import { WORDS, type WordName } from './words'

/** A heading of the catalogue, with a link to what it means. */
export function heading(visit: Visit, name: WordName, level: 1 | 2 = 2): Html {
  const { title, exchange } = WORDS[name] as (typeof WORDS)[WordName] & { exchange?: string }
  const inside = html`${title}${exchange ? html` <small>(Exchange: ${exchange})</small>` : NOTHING}`
  return html`<div class="heading">
    ${level === 1 ? html`<h1>${inside}</h1>` : html`<h2 id="${name}">${inside}</h2>`}
    <a class="help" href="${visit.to(['glossary'])}#${name}" aria-label="What this means: ${title}"
      >?</a
    >
  </div>`
}

/** A moment: UTC, which a script of the page shows in the zone of the reader. @param ms since the epoch. */
export function time(ms: number): Html {
  return html`<time datetime="${isoTime(ms)}">${shortTime(ms)}</time>`
}

/** A day of UTC. @param ms since the epoch. */
export function day(ms: number): Html {
  return html`<time datetime="${isoDay(ms)}">${isoDay(ms)}</time>`
}

export type Tone = 'good' | 'warn' | 'bad'

/** A state in a word: the colour only repeats what the word says. */
export function state(text: string, tone: Tone): Html {
  return html`<span class="state ${tone}">${text}</span>`
}

/** A text that the sender of mail chose: an address, a domain, a HELO. It is shown as it is, and cannot reorder what is around. */
export function outside(text: string): Html {
  return html`<bdi class="outside">${text}</bdi>`
}

export interface Column {
  readonly title: string
  readonly isNumber?: boolean
}

export type Cell = string | number | Html

/**
 * A table that is scrolled sideways on a narrow screen.
 *
 * @param empty is shown in its place where there are no rows.
 */
export function table(
  caption: string,
  columns: readonly (string | Column)[],
  rows: readonly (readonly Cell[])[],
  empty: string | Html,
): Html {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`
  const all = columns.map((each) => (typeof each === 'string' ? { title: each } : each))
  const numbers = all.map(({ isNumber }: Column) => (isNumber === true ? 'number' : ''))
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${all.map(({ title }, at) => html`<th scope="col" class="${numbers[at]}">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (cells) =>
            html`<tr>
              ${cells.map((cell, at) => html`<td class="${numbers[at]}">${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

/** Facts about one thing. */
export function facts(lines: readonly (readonly [string, Cell])[]): Html {
  return html`<dl class="facts">
    ${lines.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

/** The command that does the same as a page or a form. */
export function sameCommand(command: string): Html {
  return html`<p class="command">
    The same as a command: <code>${command}</code>
    <button type="button" class="copy">Copy</button>
  </p>`
}
