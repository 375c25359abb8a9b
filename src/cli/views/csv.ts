import { stringify } from 'csv-stringify/sync'
import { clean } from '../../base/safe-text'

/** A field of a record; several texts are joined by spaces. */
export type Field = string | number | null | readonly string[]

/**
 * What a spreadsheet reads as a formula (OWASP, CSV injection): at the start of a cell, and after what may end one.
 * Where the list separator is a semicolon, as in much of Europe, Excel splits there, quoted or not.
 */
const FORMULA = /(^|[;|\t\r\n])(?=\s*[=+\-@＝＋－＠])/g

/**
 * Records as CSV (RFC 4180) with a line of names. Every text passes {@link clean}, and what a spreadsheet would read
 * as a formula gets an apostrophe in front.
 */
export function csv(names: readonly string[], records: readonly (readonly Field[])[]): string {
  return stringify(
    records.map((record) => record.map(textOf)),
    { header: true, columns: [...names], record_delimiter: 'windows' },
  )
}

function textOf(field: Field): string | number | null {
  if (field === null || typeof field === 'number') return field
  const text = typeof field === 'string' ? field : field.join(' ')
  return clean(text).replace(FORMULA, "$1'")
}
