import { stringify } from 'csv-stringify/sync'
import { clean } from '../safe-text'

/** A field of a record; several texts are joined by spaces. */
export type Field = string | number | null | readonly string[]

/**
 * Records as CSV (RFC 4180) with a line of names. Every text passes {@link clean}, and one that a spreadsheet would take
 * for a formula gets an apostrophe in front (OWASP, CSV injection).
 */
export function csv(names: readonly string[], records: readonly (readonly Field[])[]): string {
  return stringify(
    records.map((record) => record.map(textOf)),
    { header: true, columns: [...names], escape_formulas: true, record_delimiter: 'windows' },
  )
}

function textOf(field: Field): string | number | null {
  if (typeof field === 'string') return clean(field)
  return field === null || typeof field === 'number' ? field : clean(field.join(' '))
}
