import path from 'node:path'
import ini from 'haraka-config/lib/readers/ini'
import { InputError } from '../base/errors'
import { readOwnedFile, type OwnedFile } from '../base/owned-file'
import { iniLines, type IniLines } from './ini-lines'
import type { RawIni } from './stray-lines'

/** An ini file of ours, whose owner decides what files it may name ({@link readOwnedFile}). */
export interface OwnIni {
  /** Its values, as Haraka's own parser reads them. */
  readonly raw: RawIni
  readonly lines: IniLines
  /** uid */
  readonly owner: number
  /** When it was changed, in ms since the epoch. */
  readonly changed: number
  /** Whether it sets no key. */
  readonly isEmpty: boolean
}

/**
 * @param advice for a user who may not read it.
 * @returns `undefined`: there is no such file.
 * @throws {InputError} it cannot be read.
 */
export function readOwnIni(file: string, advice: string): OwnIni | undefined {
  const opened = open(file, advice)
  if (!opened) return undefined
  const { content, owner, changed } = opened
  // haraka-config reads UTF-8 only.
  if (content.includes(0)) throw new InputError(`${file} is no text in UTF-8: save it as such`)
  const lines = iniLines(content.toString())
  const raw = ini.parseIni(path.basename(file), {}, lines.text)
  const isEmpty = [...lines.sections.values()].every(({ keys }) => keys.size === 0)
  return { raw, lines, owner, changed, isEmpty }
}

function open(file: string, advice: string): OwnedFile | undefined {
  try {
    return readOwnedFile(file)
  } catch (error) {
    if (error instanceof InputError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new InputError(`${file} cannot be read (${code}): ${advice}`)
  }
}
