import { isPlain, mayHold } from './may-hold'

/**
 * The fields of a header as any reader may find them. Programs differ in where a line ends (CR or LF alone, VT, FF, NEL and
 * more in Python's splitlines()), in what continues a field (whatever counts as a blank in JavaScript), and in what they
 * drop of a name: the gap before the colon (RFC 5322 §4.5), which may be folded, control characters, what is not ASCII.
 */

/** A control character but a tab may end a line; what begins with a blank behind it continues the field (RFC 5322 §2.2.3). */
const LINE_END = /(?!\t)[\p{Cc}\u2028\u2029](?=[^ \p{Cc}\u2028\u2029])/u

/** What may be one, and is no fold: without it a field of that name has one reading. */
const UNUSUAL = /[^\t\n -~\u00a0-\u2027\u202a-\uffff]|\n(?=[^ \t])/

/** Haraka has put together what begins with a space or a tab; for some programs other blanks do the same. */
const CONTINUES = /^[\s\p{Cc}]/u

/** How much of such a continuation is read, in UTF-16 code units: no name, and no From, is longer. */
const MOST_CONTINUED = 10_000

/** What {@link plain} leaves: the printable characters of ASCII without the space. */
const PLAIN = /^[!-~]*$/
const NOT_PLAIN = /[^!-~]+/g

const NONE: readonly string[] = []

/**
 * What stands behind the colon wherever some reader may find a field of that name in one line of the header, up to the end
 * of what may belong to it. Takes time in proportion to the length.
 *
 * @param lines the header, a field in each, folded or not.
 * @param name in lower case.
 */
export function valuesAt(lines: readonly string[], at: number, name: string): readonly string[] {
  const line = lines[at] ?? ''
  const isContinued = continues(lines[at + 1] ?? '')
  if (!isContinued && !mayHold(line, name)) return NONE
  if (!isContinued && !UNUSUAL.test(line)) {
    const colon = line.indexOf(':')
    const end = colon === -1 ? line.length : colon
    return reads(line.slice(0, end), name) ? [line.slice(end + 1)] : NONE
  }
  const text = withContinuations(lines, at)
  const values: string[] = []
  for (let from = 0; from < line.length;) {
    const colon = text.indexOf(':', from)
    const end = colon === -1 ? text.length : colon
    const begun = line.slice(from, end)
    const continued = text.slice(line.length, end)
    if ([continued, ''].some((more) => endsWithName(begun, more, from === 0, name))) {
      values.push(text.slice(end + 1))
    }
    from = end + 1
  }
  return values
}

function continues(line: string): boolean {
  return !isPlain(line.charCodeAt(0)) && CONTINUES.test(line)
}

function withContinuations(lines: readonly string[], at: number): string {
  let text = lines[at]!
  const most = text.length + MOST_CONTINUED
  for (let next = at + 1; text.length <= most && continues(lines[next] ?? ''); next++) {
    text += lines[next]!
  }
  return text
}

/** Whether a text ends with a line that, together with what continues it, reads as the name. */
function endsWithName(text: string, continued: string, isLine: boolean, name: string): boolean {
  if (!isLine && !LINE_END.test(text)) return false
  let read = plain(continued)
  const pieces = text.split(LINE_END)
  for (let at = pieces.length - 1; at >= 0 && read.length <= name.length; at--) {
    const piece = plain(pieces[at]!)
    read = withoutDots(piece + read)
    // What only continues is looked at as a line of its own.
    if (piece !== '' && read === name && (at > 0 || isLine)) return true
  }
  return false
}

function reads(text: string, name: string): boolean {
  return withoutDots(plain(text)) === name
}

/** Haraka does not double a dot in front of a header field (RFC 5321 §4.5.2), so the next hop takes it off. */
function withoutDots(text: string): string {
  return text.startsWith('.') ? text.replace(/^\.+/, '') : text
}

/** Without what is no part of a name, and in lower case by Unicode's rules: a Kelvin sign becomes a k. */
function plain(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase()
  return text.normalize('NFKC').toLowerCase().replace(NOT_PLAIN, '')
}
