import { createRequire } from 'node:module'
import type { HarakaAddress } from '../../src/names/envelope'

/** The npm package: Node's deprecated module has the bare name. */
const punycode = createRequire(__filename)('punycode/') as { encode(text: string): string }

/**
 * The A-label form of a name by an independent model: each label is lower-cased letter by letter and put into NFC,
 * and nothing else changes. `undefined` where a letter is another spelling of a single one (U+212A, the Kelvin sign):
 * normalization would make a look-alike the name itself; and where it is too long for a name (RFC 1035 §2.3.4).
 */
function canonical(name: string): string[] | undefined {
  if ([...name].some((letter) => letter.normalize('NFC') !== letter)) return undefined
  const labels = name.split('.')
  if (labels.at(-1) === '') labels.pop()
  const encoded = labels.map((label) => {
    const lower = [...label].map(lowered).join('').normalize('NFC')
    return /^[\0-\x7f]*$/.test(lower) ? lower : `xn--${punycode.encode(lower)}`
  })
  return encoded.every((label) => label.length <= 63) && encoded.join('.').length <= 253
    ? encoded
    : undefined
}

/** Lower-cased, where upper and lower case map to each other only; and ẞ, which RFC 5895 lower-cases like any other. */
function lowered(letter: string): string {
  const lower = letter.toLowerCase()
  return lower.toUpperCase().normalize('NFC') === letter || letter === 'ẞ' ? lower : letter
}

function covers(
  accepted: readonly string[],
  subdomains: boolean,
  name: readonly string[],
): boolean {
  if (subdomains ? name.length < accepted.length : name.length !== accepted.length) return false
  return accepted.every((label, at) => label === name[name.length - accepted.length + at])
}

/**
 * Whether a sender may be registered, and must be if it is in ASCII, by the model: the two spellings that Haraka
 * would pass on are the same name, and an accepted domain equals that name or, with subdomains, is above it. The
 * model does not decide which other letters a name may have.
 *
 * @param accepted as A-labels
 */
export function mayBeRegistered(
  address: HarakaAddress,
  accepted: ReadonlyMap<string, { readonly subdomains: boolean }>,
): boolean {
  const host = String(address.host ?? '')
  const spellings = [String(address.original_host ?? '') || host, host].map(canonical)
  const [written, encoded] = spellings
  if (!written || !encoded || written.join('.') !== encoded.join('.')) return false
  return [...accepted].some(([name, { subdomains }]) =>
    covers(name.split('.'), subdomains, written),
  )
}
