/** Characters that control a terminal, end a line or reorder text. */
export const UNSAFE = /[\p{Cc}\u2028\u2029\p{Bidi_Control}]/u

const PAIR = /([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?: |$)/y

/** The keys and values of a line in Haraka's LOGFMT, in order. @throws Error for any other line */
export function parseLogfmt(line: string): [key: string, value: string][] {
  const pairs: [string, string][] = []
  PAIR.lastIndex = 0
  while (PAIR.lastIndex < line.length) {
    const at = PAIR.lastIndex
    const found = PAIR.exec(line)
    if (!found) throw new Error(`no key=value at ${at} of ${JSON.stringify(line)}`)
    const [, key = '', quoted, bare = ''] = found
    pairs.push([key, quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1')])
  }
  return pairs
}
