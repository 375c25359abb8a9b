import addressparser from 'nodemailer/lib/addressparser'
import { toDomain } from '../names/domain'
import { withoutComments } from './comments'
import { usualAddress } from './usual-address'

/** One address in a header field. */
interface HeaderAddress {
  /** As it is written, without comments, and the local part quoted where it has to be. */
  readonly address: string
  /**
   * As lower-case A-labels. `undefined` for an address literal, for what cannot be a DNS name, and for an address that
   * holds an encoded word: RFC 2047 §5 has none there, and what a reader makes of it can be any other address.
   */
  readonly domain: string | undefined
}

export interface HeaderAddresses {
  /** In their order, those in groups among them. Text without an `@` is none: `Undisclosed:;`, `root`. */
  readonly addresses: readonly HeaderAddress[]
  /**
   * Whether all readers find these addresses and no others. If not, `addresses` holds all that some reader could find.
   * Never for a field past {@link MAX_FIELD}, of which nothing is read.
   */
  readonly clear: boolean
}

/** In UTF-16 code units. To read the worst field of this length takes about 20 ms. */
export const MAX_FIELD = 32_768

/** What no address goes on behind, for any reader: only the gaps of RFC 5322 §3.2.2 are some to all. */
const BREAKS = /[ \t\r\n<>,;:()"\\]+/
const LITERAL = /@\[[^[\]\\]*\]$/
const ENCODED_WORD = /=\?[^?]*\?[bq]\?/i

const UNREAD: HeaderAddresses = { addresses: [], clear: false }

/**
 * The addresses in a From, Sender, To or Cc field (RFC 5322 §3.4, and §4.4 for what was allowed once; groups in From:
 * RFC 6854), by nodemailer's parser. Never throws; takes time in proportion to the length.
 *
 * That parser finds some sense in every text, and where it drops or joins something, a mail program may show just that:
 * `<a@contoso.com> <b@evil.example>`, `a@evil.example .contoso.com`. So it must find the domain behind each `@` outside
 * of quoted strings and comments, one by one. If it does not, each of these `@` counts; if quotes or brackets do not
 * close, each in the field.
 *
 * @param field without the name and the colon, as it came: not decoded, folded or not.
 */
export function parseHeaderAddresses(field: string): HeaderAddresses {
  if (field.length > MAX_FIELD) return UNREAD
  const usual = usualAddress(field)
  return usual === undefined ? parseAnyForm(field) : { addresses: [found(usual)], clear: true }
}

/** Reads a field of any form; see {@link parseHeaderAddresses}. */
export function parseAnyForm(field: string): HeaderAddresses {
  const parsed = addressparser(field, { flatten: true }).filter(({ address }) =>
    address.includes('@'),
  )
  const bare = withoutComments(field, () => '"')
  if (bare !== undefined) {
    const written = writtenIn(bare)
    const agree =
      written.length === parsed.length &&
      parsed.every(({ address }, i) => domainPart(address) === domainPart(written[i] ?? ''))
    if (agree) return { addresses: parsed.map(({ address }) => found(address)), clear: true }
  }
  // Where the parser makes one name of what stands behind an `@` and more, that name is a reading, too.
  const joined = parsed.map(({ address }) => found(address)).filter(({ domain }) => domain)
  return { addresses: [...joined, ...writtenIn(bare ?? field).map(found)], clear: false }
}

/** Each `@` of a text, with what stands before and behind it without a gap. */
function writtenIn(text: string): string[] {
  const written: string[] = []
  for (const run of text.split(BREAKS)) {
    if (!run.includes('@')) continue
    const parts = run.split('@')
    for (let at = 1; at < parts.length; at++) written.push(`${parts[at - 1]}@${parts[at]}`)
  }
  return written
}

function found(address: string): HeaderAddress {
  const domain = ENCODED_WORD.test(address) ? undefined : toDomain(domainPart(address))
  return { address, domain }
}

/** RFC 5322 §3.4.1 has an `@` in address literals. */
function domainPart(address: string): string {
  const literal = address.endsWith(']') ? LITERAL.exec(address) : null
  return address.slice((literal?.index ?? address.lastIndexOf('@')) + 1)
}
