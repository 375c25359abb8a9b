import { clean } from '../../base/safe-text'

/** A field of a record; several texts are joined by spaces. */
export type Field = string | number | null | readonly string[]

/**
 * What a spreadsheet reads as a formula (OWASP, CSV injection): at the start of a cell, and after what may end one.
 * Where the list separator is a semicolon, as in much of Europe, Excel splits there, quoted or not.
 */
const FORMULA = /(^|[;|\t\r\n])(?=\s*[=+\-@＝＋－＠])/g

/** What a cell may not have outside quotes. */
const QUOTED = /[",\r\n]/

/**
 * Records as CSV (RFC 4180) with a line of names. Every text passes {@link clean}, and what a spreadsheet would read
 * as a formula gets an apostrophe in front.
 */
export function csv(names: readonly string[], records: readonly (readonly Field[])[]): string {
  return [names, ...records].map((record) => `${record.map(cellOf).join(',')}\r\n`).join('')
}

function cellOf(field: Field): string {
  if (field === null) return ''
  if (typeof field === 'number') return String(field)
  const text = clean(typeof field === 'string' ? field : field.join(' ')).replace(FORMULA, "$1'")
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
