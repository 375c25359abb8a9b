import { parseHeaderAddresses } from './header-addresses'
import { valuesAt } from './fields'

/**
 * The longest From that is read, all fields of a message together, in UTF-16 code units: some hundred addresses. The
 * worst of this length takes 5 ms.
 */
export const LONGEST_FROM = 8192

/**
 * What the From fields of a message hold, without name and colon, as any mail program may find them. There should be one
 * (RFC 5322 §3.6).
 *
 * @param lines the header, a field in each, folded or not.
 */
export function fromFields(lines: readonly string[]): string[] {
  const fields: string[] = []
  for (let at = 0; at < lines.length; at++) {
    const values = valuesAt(lines, at, 'from')
    if (values.length > 0) fields.push(...values)
  }
  return fields
}

/**
 * The domain by which the From of a message does not fit to an accepted sender; empty where there is none to name;
 * `undefined`: it fits. Never throws.
 *
 * It fits if it names an address, and each address that it names is in an accepted domain:
 *
 * - One that is not is enough. Mail programs show the first address, the last, or all: an accepted one beside it must not
 *   hide a foreign one. RFC 5322 §3.6.2 allows several authors, but hardly any mail has them, and receivers that check
 *   DMARC distrust it (RFC 7489 §6.6.1).
 * - All fields count, where there are several.
 * - Without an address it does not fit: no From, an empty group (RFC 6854), a mere name, one too long to be read. RFC 5322
 *   §3.6 demands a From; and one that this process did not find, since Haraka reads only the first 1,000 lines of a
 *   header, may still be found by others.
 * - An address without a domain name (`root@[192.0.2.1]`) is in no accepted domain. Text without an `@` beside an address
 *   is part of a name: `Bell, Anna <anna@contoso.com>`.
 * - Names and comments are not looked at, whatever they look like: mailing lists and ticket systems write the address of
 *   the real author there.
 *
 * @param fields see {@link fromFields}.
 * @param isAccepted of a domain as lower-case A-labels.
 */
export function headerFromMismatch(
  fields: readonly string[],
  isAccepted: (domain: string) => boolean,
): string | undefined {
  let length = 0
  for (const field of fields) length += field.length
  if (length > LONGEST_FROM) return ''
  // Loops: flatMap and filter would cost more than all that is done with the usual From.
  let own = false
  let other: string | undefined
  for (const field of fields) {
    for (const { domain } of parseHeaderAddresses(field).addresses) {
      if (domain !== undefined && isAccepted(domain)) own = true
      else other ||= domain ?? ''
    }
  }
  return own && other === undefined ? undefined : (other ?? '')
}
