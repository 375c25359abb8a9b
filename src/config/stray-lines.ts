import { keyId, type IniLines } from './ini-lines'
import { isNamed, type IniKey, type NamedSections, type Section } from './section'

/** What haraka-config gives for an ini file: sections of strings, numbers (digits become one) and arrays. */
export type RawIni = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>

/** A line of an ini file that was not understood, or a name that does not exist. */
export interface Stray {
  readonly line: number | undefined
  /** The section that it is in; then others that it may have been meant for, by their names in the file. */
  readonly sections: readonly [string, ...string[]]
  readonly message: string
  /** What it was meant to set, perhaps: a key, something in its section, or something anywhere. */
  readonly meant: IniKey | 'section' | 'anything'
  /** What it does; `undefined`: that is said of the key. */
  readonly instead: string | undefined
}

const NO_EFFECT = 'the line has no effect'

/** The sections of a file that some of `sections` are, by their names there. */
export function membersOf(
  sections: NamedSections,
  raw: RawIni,
  lines: IniLines | undefined,
): Section[] {
  return names(raw, lines).flatMap(([name]) => sections.member(name) ?? [])
}

/** @param lines `undefined` where the values come from no file. */
export function strayLines(
  sections: readonly Section[],
  raw: RawIni,
  lines: IniLines | undefined,
): Stray[] {
  const there = sections.flatMap((each) => (isNamed(each) ? membersOf(each, raw, lines) : each))
  const known = new Map(there.map(({ name, keys }) => [name, keys]))
  return [
    ...(lines?.faults ?? []).map(({ line, section, key, mended, message }): Stray => {
      const instead = `it is read as [${section}]`
      if (mended) return { line, sections: [section], message, meant: 'anything', instead }
      const meant = known.get(section)?.find(({ name }) => name === key)
      if (!meant) {
        const others = key === undefined ? [] : sectionsWith(key, sections)
        return {
          ...{ line, sections: [section, ...others], message },
          ...{ meant: 'section', instead: NO_EFFECT },
        }
      }
      return {
        ...{ line, sections: [section], message: `${meant.id}: ${message}` },
        ...{ meant, instead: undefined },
      }
    }),
    ...names(raw, lines).flatMap(([section, keys]) => {
      const there = known.get(section)?.map(({ name }) => name)
      if (!there) return [unknownSection(section, keys, sections, lines)]
      const unknown = keys.filter((key) => !there.includes(key))
      return unknown.map((key): Stray => {
        const line = lines?.sections.get(section)?.keys.get(key)
        const message = `${keyId(section, key)}: no such key; ${advice(key, there, sections)}`
        const others = likely(key, there) === undefined ? sectionsWith(key, sections) : []
        return {
          ...{ line, sections: [section, ...others], message },
          ...{ meant: 'section', instead: NO_EFFECT },
        }
      })
    }),
  ]
}

/** The sections of the file and their keys; haraka-config leaves out some names, such as `__proto__`. */
function names(raw: RawIni, lines: IniLines | undefined): [string, string[]][] {
  if (lines) return [...lines.sections].map(([section, { keys }]) => [section, [...keys.keys()]])
  return Object.entries(raw).map(([section, keys]) => [section, Object.keys(keys ?? {})])
}

function unknownSection(
  name: string,
  keys: readonly string[],
  sections: readonly Section[],
  lines: IniLines | undefined,
): Stray {
  const known = sections.map((each) => each.name)
  const named = sections
    .filter(isNamed)
    .find(({ word }) => name.toLowerCase().split(/\s/)[0] === word)
  const meant = named?.name ?? likely(name, known)
  const rule = named ? `: ${named.rule}` : ''
  const there = meant === undefined ? `there are ${known.join(', ')}` : `write [${meant}]${rule}`
  const others = keys.flatMap((key) => sectionsWith(key, sections))
  return {
    line: lines?.sections.get(name)?.line,
    sections: [meant ?? name, ...(meant === undefined ? new Set(others) : [])],
    message: `[${name}]: no such section; ${there}`,
    meant: 'anything',
    instead: 'its keys have no effect',
  }
}

/** @param there the keys of the section that the key stands in. */
function advice(key: string, there: readonly string[], sections: readonly Section[]): string {
  const meant = likely(key, there)
  if (meant !== undefined) return `write ${meant}`
  const others = sectionsWith(key, sections)
  if (others.length === 0) return `there are ${there.join(', ')}`
  return `it belongs below ${others.map((name) => `[${name}]`).join(' or ')}`
}

/** The names of the sections that have such a key. */
function sectionsWith(key: string, sections: readonly Section[]): string[] {
  return sections
    .filter(({ keys }) => keys.some(({ name }) => name === key))
    .map(({ name }) => name)
}

/** The name that differs in spelling only. */
function likely(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, '')
  return known.find((each) => plain(each) === plain(name))
}
