const GAPS = /[\t\n\v\f\r\u0085\u2028\u2029]+/g
const INVISIBLE = /[\p{Cc}\p{Cs}\p{Bidi_Control}]/gu
const UNSAFE = /[\p{Cc}\p{Cs}\u2028\u2029\p{Bidi_Control}]/u
const JSON_UNSAFE = /[\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/gu

/**
 * Makes a text that came from outside safe for a terminal and for a line of a log: control characters
 * (ESC and the C1 set among them, which terminals take as commands) and bidi controls (which reorder
 * what is read) go, as do lone surrogates, which UTF-8 cannot say; line breaks and tabs become one
 * space.
 */
export function clean(text: string): string {
  // Nearly all texts are clean, and to replace nothing costs more than to look.
  return UNSAFE.test(text) ? text.replace(GAPS, ' ').replace(INVISIBLE, '') : text
}

/** JSON in which nothing can act on a terminal: what {@link clean} would drop is escaped. */
export function safeJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, undefined, indent).replace(
    JSON_UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A text from outside as {@link clean} leaves it, cut to a number of octets of UTF-8. */
export function shortened(text: string, octets: number): string {
  // No text has fewer octets than units of UTF-16; what is longer need not be looked at.
  const cleaned = clean(text.slice(0, octets))
  if (Buffer.byteLength(cleaned) <= octets) return cleaned
  let end = 0
  let length = 0
  for (const character of cleaned) {
    length += Buffer.byteLength(character)
    if (length > octets) break
    end += character.length
  }
  return cleaned.slice(0, end)
}
