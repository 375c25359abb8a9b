const TAB = 0x09
const LF = 0x0a
const SPACE = 0x20
const DOT = 0x2e
const UPPER_A = 0x41
const UPPER_Z = 0x5a
const DEL = 0x7f

/**
 * Whether a whole line must be read to know if it holds the name: `false` for nearly all lines of a message. A name ends
 * in front of a colon or at the end of the line, and one or two characters there nearly always show another name. Reading
 * all characters of a header would cost more than everything else that is done with it.
 */
export function mayHold(line: string, name: string): boolean {
  for (let from = 0; from < line.length;) {
    const colon = line.indexOf(':', from)
    const end = colon === -1 ? line.length : colon
    if (mayEndWith(line, from, end, name)) return true
    from = end + 1
  }
  return false
}

/** Reads backwards, and gives up with `true` at the first character that some reader may drop, but for plain blanks. */
function mayEndWith(line: string, from: number, end: number, name: string): boolean {
  let left = name.length
  for (let at = end - 1; at >= from; at--) {
    const code = line.charCodeAt(at)
    if (code === SPACE || code === TAB || (code === LF && isFold(line, at, end))) continue
    if (!isPlain(code) || code === DOT) return true
    if (left === 0 || lowerCase(code) !== name.charCodeAt(left - 1)) return false
    left--
  }
  // Behind a colon a field begins only where a character ends the line.
  return left === 0 && from === 0
}

/** Whether a line feed ends no line for any reader. */
function isFold(line: string, at: number, end: number): boolean {
  if (at + 1 === end) return true
  const next = line.charCodeAt(at + 1)
  return next === SPACE || next === TAB
}

/** Printable, in ASCII, and not the space. */
export function isPlain(code: number): boolean {
  return code > SPACE && code < DEL
}

function lowerCase(code: number): number {
  return code >= UPPER_A && code <= UPPER_Z ? code + SPACE : code
}
