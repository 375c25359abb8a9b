import { Output } from '../../cli/kit/output'
import { html, type Html } from './html'

const COLUMNS = 120

/** What a command prints. */
export function printed(print: (out: Output) => void): Html {
  let text = ''
  const stdout = { write: (part: string) => (text += part) }
  print(new Output({ stdout, terminal: false, columns: COLUMNS, env: {} }, { color: 'never' }))
  return linesOf(text.trimEnd().split('\n'))
}

/** A text whose lines stay as they are. In a value a line break would be removed. */
export function linesOf(lines: readonly string[]): Html {
  return html`<pre tabindex="0">${lines.map((line) => html`${line}<br />`)}</pre>`
}
