import { keyId, type IniLines } from './ini-lines'

/** What haraka-config gives for an ini file: sections of strings, numbers (digits become one) and arrays. */
export type RawIni = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>

/** The names of the keys that each section has. */
export type KnownNames = ReadonlyMap<string, readonly string[]>

/** Something in an ini file that sets no key. */
export interface Stray {
  readonly line: number | undefined
  readonly section: string
  readonly message: string
  /** What it may have been meant for: one key, some key of the section, or some section. */
  readonly doubt: 'key' | 'section' | 'file'
  /** {@link keyId}, where it was meant for one key. */
  readonly id?: string
  /** What the line does instead. Absent: its key has another value. */
  readonly instead?: string
}

/** The lines that were not understood, and the names that do not exist. */
export function strayLines(known: KnownNames, raw: RawIni, lines: IniLines | undefined): Stray[] {
  return [...damagedLines(known, lines), ...unknownNames(known, raw, lines)]
}

function damagedLines(known: KnownNames, lines: IniLines | undefined): Stray[] {
  return (lines?.faults ?? []).map(({ line, section, key, mended, message }): Stray => {
    if (mended)
      return { line, section, message, doubt: 'file', instead: `it is read as [${section}]` }
    if (key === undefined || !known.get(section)?.includes(key)) {
      return { line, section, message, doubt: 'section', instead: NO_EFFECT }
    }
    const id = keyId(section, key)
    return { line, section, message: `${id}: ${message}`, doubt: 'key', id }
  })
}

const NO_EFFECT = 'the line has no effect'

function unknownNames(known: KnownNames, raw: RawIni, lines: IniLines | undefined): Stray[] {
  return names(raw, lines).flatMap(([section, keys]) => {
    const there = known.get(section)
    if (!there) return [unknownSection(section, known, lines)]
    return keys
      .filter((key) => !there.includes(key))
      .map((key): Stray => {
        const line = lines?.sections.get(section)?.keys.get(key)
        const message = `${keyId(section, key)}: no such key; ${advice(key, there, known)}`
        return { line, section, message, doubt: 'section', instead: NO_EFFECT }
      })
  })
}

/** The sections of the file and their keys; haraka-config leaves out some names, such as `__proto__`. */
function names(raw: RawIni, lines: IniLines | undefined): [string, string[]][] {
  if (!lines)
    return Object.entries(raw).map(([section, keys]) => [section, Object.keys(keys ?? {})])
  return [...lines.sections].map(([section, { keys }]) => [section, [...keys.keys()]])
}

function unknownSection(name: string, known: KnownNames, lines: IniLines | undefined): Stray {
  const sections = [...known.keys()]
  const meant = likely(name, sections)
  const write = meant === undefined ? `there are ${sections.join(', ')}` : `write [${meant}]`
  return {
    line: lines?.sections.get(name)?.line,
    section: meant ?? name,
    message: `[${name}]: no such section; ${write}`,
    doubt: 'file',
    instead: 'its keys have no effect',
  }
}

/** @param there the keys of the section that it stands in. */
function advice(key: string, there: readonly string[], known: KnownNames): string {
  const meant = likely(key, there)
  if (meant !== undefined) return `write ${meant}`
  const sections = [...known].filter(([, keys]) => keys.includes(key))
  if (sections.length === 0) return `there are ${there.join(', ')}`
  return `it belongs below ${sections.map(([each]) => `[${each}]`).join(' or ')}`
}

/** The name that differs in spelling only. */
function likely(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, '')
  return known.find((each) => plain(each) === plain(name))
}
