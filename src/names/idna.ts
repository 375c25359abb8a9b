import { domainToASCII, domainToUnicode } from 'node:url'

/** By UTF-16 code units: what lies beyond the BMP is made of surrogates. */
export const NON_ASCII = /[\u0080-\uffff]/

/** Every ASCII character that has no place in a DNS name. */
const FOREIGN_ASCII = /[^A-Za-z0-9._\-\u0080-\uffff]/

/** Beyond this no name can fit into 253 octets, not even decomposed. In UTF-16 code units. */
const MAX_LENGTH = 1024

/**
 * The A-label form of a name that holds non-ASCII characters, or `undefined` unless the name is
 * written as its registrant writes it, apart from case. Never throws. The result may still be too
 * long, or hold empty labels.
 *
 * Node's `domainToASCII` parses a URL host: it cuts at `/`, `?`, `#` and `:`, decodes `%41`, reads
 * IPv4, and maps by UTS #46 §4 what is not written in domain names on to what is: full-width letters,
 * the dots U+3002, U+FF0E and U+FF61, ligatures, U+00AD and U+200B on to nothing. A name that needs
 * such mapping only looks like the other one, so it must not count as it. Of the mappings that
 * RFC 5895 §2 offers, case and normalization are made here; what IDNA makes of the rest is compared
 * with what was given.
 */
export function unicodeToAscii(name: string): string | undefined {
  if (name.length > MAX_LENGTH || FOREIGN_ASCII.test(name)) return undefined

  // Characters that normalization replaces with another one (U+212A, the Kelvin sign, is a K after
  // it) are not allowed in domain names (RFC 5892 §2.2); they survive in neither form.
  if (name !== name.normalize('NFC') && name !== name.normalize('NFD')) return undefined

  // IDNA lowers the capital sigma to σ wherever it stands, toLowerCase() at the end of a word to ς.
  const lower = name.replaceAll('Σ', 'σ').toLowerCase().normalize('NFC')
  const ascii = domainToASCII(lower)
  const aLabels = ascii.split('.')
  const uLabels = domainToUnicode(ascii).split('.')
  const given = lower.split('.')
  const asWritten =
    given.length === aLabels.length &&
    given.every((label, i) => label === aLabels[i] || label === uLabels[i])
  return asWritten ? ascii : undefined
}

/**
 * Whether a label that begins with `xn--` is what IDNA makes of some U-label (RFC 5891 §5.4). `xn--`
 * names that are not cannot be registered.
 *
 * @param label in lower case
 */
export function isALabel(label: string): boolean {
  const unicode = domainToUnicode(label)
  return NON_ASCII.test(unicode) && unicodeToAscii(unicode) === label
}
