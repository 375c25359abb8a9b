const NAME = /^[a-z][a-z0-9_]*$/i
/** VALCHAR of RFC 6376 §3.2 and the white space between. */
const VALUE = /^[\t\r\n -:<-~]*$/

/**
 * The tags of a signature or a key record by their names, without the white space around values (RFC 6376 §3.2);
 * `undefined` if the list breaks the rules. A tag that is there twice does: readers would take different ones.
 */
export function parseTagList(text: string): ReadonlyMap<string, string> | undefined {
  const specs = text.split(';')
  if (specs.at(-1)?.trim() === '') specs.pop()
  const tags = new Map<string, string>()
  const seen = new Set<string>()
  for (const spec of specs) {
    const equals = spec.indexOf('=')
    const name = spec.slice(0, Math.max(0, equals)).trim()
    const value = spec.slice(equals + 1)
    // mailauth reads names in any case, RFC 6376 in theirs only.
    if (!NAME.test(name) || !VALUE.test(value) || seen.has(name.toLowerCase())) return undefined
    seen.add(name.toLowerCase())
    tags.set(name, value.trim())
  }
  return tags
}

/** A list with colons between (`h=`, `s=`, `t=`), in lower case. */
export function colonList(value: string): string[] {
  return value.split(':').map((item) => item.trim().toLowerCase())
}
