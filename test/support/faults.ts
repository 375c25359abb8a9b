import { readFileSync } from 'node:fs'
import path from 'node:path'
import { MAIL_INCLUDES } from '../../src/mail/scripts'

const ROOT = path.join(__dirname, '../..')

/** A change of a source file that makes it wrong. */
export interface Edit {
  /** Path in the repository, or a Lua include that is no file, such as `mail/classes`. */
  readonly file: string
  /** Must stand in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** Something that a test must find. */
export interface Fault {
  readonly what: string
  readonly edits: readonly Edit[]
}

/** One of a single edit. */
export function fault(what: string, file: string, find: string, replace: string): Fault {
  return { what, edits: [{ file, find, replace }] }
}

/**
 * The changed sources, by file.
 *
 * @throws where a text is not found, or more than once: the file has changed, and the fault must be planted anew.
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

/** The same for Lua files, by the names that a Store takes replacements for. */
export function plantInScripts(edits: readonly Edit[]): Record<string, string> {
  return Object.fromEntries(
    [...plant(edits)].map(([file, source]) => [path.basename(file, '.lua'), source]),
  )
}
