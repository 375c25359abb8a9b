import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** By name, read at the start: after an upgrade a running process must not mix scripts of two versions. */
const INCLUDES = includesIn(path.join(__dirname, 'lua'))
const INCLUDE_LINE = /^-- @include (\w+)$/gm

/** One Lua file: its name is also the name of the command that it becomes. */
export interface Script {
  readonly name: string
  readonly source: string
}

/**
 * Reads `lua/NAME.lua` of a folder.
 *
 * @throws where the file is missing: a broken installation.
 */
export function readScript(folder: string, name: string): Script {
  return { name, source: readFileSync(path.join(folder, 'lua', `${name}.lua`), 'utf8') }
}

/**
 * The script with its `-- @include NAME` lines replaced by the shared pieces in `store/lua`.
 *
 * @param replacements other sources for some includes or scripts, by name; a test puts a clock of its own there.
 */
export function assemble(
  script: Script,
  replacements: Readonly<Record<string, string>> = {},
): string {
  return (replacements[script.name] ?? script.source).replace(
    INCLUDE_LINE,
    (line, name: string) => {
      const include = replacements[name] ?? INCLUDES.get(name)
      if (include === undefined) throw new Error(`${script.name}: there is nothing for "${line}"`)
      return include
    },
  )
}

function includesIn(folder: string): ReadonlyMap<string, string> {
  const files = readdirSync(folder).map((file) => path.parse(file))
  return new Map(
    files.map(({ name, base }) => [name, readFileSync(path.join(folder, base), 'utf8')]),
  )
}
