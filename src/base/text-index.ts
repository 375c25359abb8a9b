/** A line of a text that holds what was asked for. */
export interface TextMatch {
  readonly key: string
  readonly line: string
}

/**
 * Texts of a few lines by key, searched for a part of a line. There is nothing to keep sorted: to look through 25 MB takes a
 * few hundredths of a second.
 */
export class TextIndex {
  /** Key → its lines, each behind a line break. */
  private readonly texts = new Map<string, string>()

  /** Number of keys. */
  get size(): number {
    return this.texts.size
  }

  /** Replaces the lines of a key. */
  set(key: string, lines: readonly string[]): void {
    this.texts.set(key, lines.map((line) => `\n${line}`).join(''))
  }

  /** Forgets all other keys. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.texts.keys()) if (!keys.has(key)) this.texts.delete(key)
  }

  /**
   * Lines that begin with a part, then lines that hold it elsewhere. However many do, no more than a few are looked at.
   *
   * @param part not empty, without a line break.
   * @param most lines that are returned.
   */
  find(part: string, most: number): TextMatch[] {
    const found: TextMatch[] = []
    for (const isStart of [true, false]) {
      const wanted = isStart ? `\n${part}` : part
      for (const [key, text] of this.texts) {
        for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at)) {
          const start = isStart ? at + 1 : text.lastIndexOf('\n', at) + 1
          const end = text.indexOf('\n', start)
          at = end === -1 ? text.length : end
          const line = text.slice(start, at)
          if (!isStart && line.startsWith(part)) continue
          found.push({ key, line })
          if (found.length === most) return found
        }
      }
    }
    return found
  }
}
