const SPECIAL = /["()\\]/
/** What has no meaning of its own outside of quoted strings and comments. */
const PLAIN = /[^"()\\]+/y
const QUOTED = /"(?:[^"\\]|\\[^])*"/y
const COMMENT_TEXT = /(?:[^()\\]|\\[^])+/y

/**
 * A structured header field with a space for each comment. Comments nest, and quotes mean nothing in them (RFC 5322
 * §3.2.2). Takes time in proportion to the length.
 *
 * @param replaceQuoted what stands in the result for a quoted string, which is given with its quotes.
 * @returns `undefined` if a comment or a quoted string has no end, or if a backslash stands outside of them, which readers
 *   take differently.
 */
export function withoutComments(
  field: string,
  replaceQuoted: (quoted: string) => string,
): string | undefined {
  if (!SPECIAL.test(field)) return field
  let bare = ''
  let depth = 0
  let at = 0
  const skip = (pattern: RegExp): string => {
    pattern.lastIndex = at
    const text = pattern.exec(field)?.[0] ?? ''
    at += text.length
    return text
  }
  while (at < field.length) {
    if (depth > 0) skip(COMMENT_TEXT)
    else bare += skip(PLAIN)
    const character = field[at]
    if (character === '"' && depth === 0) {
      const quoted = skip(QUOTED)
      if (quoted === '') return undefined
      bare += replaceQuoted(quoted)
      continue
    }
    if (character === '(') depth++
    else if (character === ')' && depth > 0) depth--
    else if (character !== undefined) return undefined
    if (character === ')' && depth === 0) bare += ' '
    at++
  }
  return depth === 0 ? bare : undefined
}
