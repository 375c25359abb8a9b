import { readFileSync } from 'node:fs'
import path from 'node:path'

const ROOMS = path.join(__dirname, '..')
/** Lines that follow one another, with the same indentation. */
const INCLUDE_LINES = /^( *)-- @include [\w-]+\/\w+$(?:\n\1-- @include [\w-]+\/\w+$)*/gm

/** By `ROOM/NAME`. Read together with the scripts: after an upgrade a running process must not mix two versions. */
const includes = new Map<string, string>()

/** One Lua file. */
export interface Script {
  readonly name: string
  readonly source: string
  /** Includes that are no files, by `ROOM/NAME`. */
  readonly made?: Includes
}

/** Lua to be included, by `ROOM/NAME`. */
export type Includes = Readonly<Record<string, string>>

/**
 * Reads `lua/NAME.lua` of a folder, and what it includes.
 *
 * @param made includes that are no files.
 * @throws where a file is missing: a broken installation.
 */
export function readScript(folder: string, name: string, made: Includes = {}): Script {
  const source = readFileSync(path.join(folder, 'lua', `${name}.lua`), 'utf8')
  const script = { name, source, made }
  assemble(script)
  return script
}

/**
 * The script with each `-- @include ROOM/NAME` line replaced by what was made for it, or else by
 * `src/ROOM/lua/include/NAME.lua`. An include includes what it needs; each of them is put in once, before the first line that
 * needs it.
 *
 * Indented lines include for their block only. Its functions are made when the block runs: every call of a script makes those
 * of the top, each for 700 instructions of Redis, so what seldom happens is included where it happens.
 *
 * @param replacements other sources for some includes or scripts, by name: tests put a clock of their own in.
 * @throws where a file is missing.
 */
export function assemble(
  script: Script,
  replacements: Readonly<Record<string, string>> = {},
): string {
  const expand = (source: string, done: Set<string>): string =>
    source.replace(INCLUDE_LINES, (lines, indentation: string) => {
      const known = indentation === '' ? done : new Set(done)
      return lines.replace(/.+ (.+)\/(.+)/g, (_line, room: string, name: string) => {
        const id = `${room}/${name}`
        if (known.has(id)) return ''
        known.add(id)
        return expand(replacements[name] ?? script.made?.[id] ?? include(room, name), known)
      })
    })
  return expand(replacements[script.name] ?? script.source, new Set())
}

function include(room: string, name: string): string {
  const id = `${room}/${name}`
  const known = includes.get(id)
  if (known !== undefined) return known
  const source = readFileSync(path.join(ROOMS, room, 'lua', 'include', `${name}.lua`), 'utf8')
  includes.set(id, source)
  return source
}
