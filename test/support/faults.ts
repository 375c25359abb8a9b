import { readFileSync } from 'node:fs'
import path from 'node:path'
import { MAIL_INCLUDES } from '../../src/mail/scripts'

const ROOT = path.join(__dirname, '../..')

/** An edit of a source file that makes it wrong. */
export interface Edit {
  /** Path in the repository, or a Lua include that is not a file, such as `mail/classes`. */
  readonly file: string
  /** Must be in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** A fault that a test must find. */
export interface Fault {
  readonly what: string
  readonly edits: readonly Edit[]
}

/** A fault of a single edit. */
export function fault(what: string, file: string, find: string, replace: string): Fault {
  return { what, edits: [{ file, find, replace }] }
}

/**
 * The changed sources, by file.
 *
 * @throws where a text is not found exactly once: the file has changed, and the fault must be updated.
 */
export function plant(edits: readonly Edit[]): Map<string, string> {
  const sources = new Map<string, string>()
  for (const { file, find, replace } of edits) {
    const source = sources.get(file) ?? sourceOf(file)
    const times = source.split(find).length - 1
    if (times !== 1) throw new Error(`${file} holds ${times} times, and not once:\n${find}`)
    sources.set(
      file,
      source.replace(find, () => replace),
    )
  }
  return sources
}

function sourceOf(file: string): string {
  return MAIL_INCLUDES[file] ?? readFileSync(path.join(ROOT, file), 'utf8')
}

/** The same for Lua files, by the names under which a Store accepts replacements. */
export function plantInScripts(edits: readonly Edit[]): Record<string, string> {
  return Object.fromEntries(
    [...plant(edits)].map(([file, source]) => [path.basename(file, '.lua'), source]),
  )
}
