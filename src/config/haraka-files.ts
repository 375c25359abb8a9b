import { readFileSync } from 'node:fs'
import path from 'node:path'
import flat from 'haraka-config/lib/readers/flat'
import ini from 'haraka-config/lib/readers/ini'

export type Value = string | number | readonly (string | number)[]

export type Section = Readonly<Record<string, Value | undefined>>

/** Sections of an ini file, `main` for the keys above the first. Digits are numbers. */
type IniFile = Readonly<Record<string, Section | undefined>>

/** Haraka's own config files, as Haraka parses them. */
export interface HarakaFiles {
  /** A missing file has no keys: Haraka's defaults are in effect. */
  ini(name: string): IniFile
  /** A missing file has no lines. */
  list(name: string): readonly string[]
  /** The source of a plugin that the site has beside its config directory; empty: it is not there. */
  source(plugin: string): string
}

/**
 * Reads Haraka's config files with Haraka's own parsers, but not through its reader: that keeps one reload callback a
 * file, and reading `auth_flat_file.ini` would take the callback away from the AUTH plugin (haraka-config
 * `lib/reader.js`, `_read_args`).
 *
 * The files that Haraka's package ships are not read: those that we ask for have comments only, or the defaults of its
 * code.
 *
 * @param directory Haraka's config directory.
 */
export function harakaFiles(directory: string): HarakaFiles {
  const read = (name: string): string => {
    try {
      return readFileSync(path.join(directory, name), 'utf8')
    } catch {
      return ''
    }
  }
  return {
    ini: (name) => ini.parseIni(name, {}, read(name)),
    source: (plugin) =>
      read(path.join('..', 'plugins', `${plugin}.js`)) ||
      read(path.join('..', 'node_modules', `haraka-plugin-${plugin}`, 'index.js')),
    list: (name) => flat.parseValue(name, 'list', {}, read(name)),
  }
}

/**
 * Haraka's queue directory (Haraka `outbound/queue.js`): `queue` beside its config directory, unless `queue_dir` says
 * another. Haraka reads a relative one from the folder that it was started in.
 *
 * @param directory Haraka's config directory.
 */
export function queueDirectory(directory: string): string {
  const [queue = path.join(path.dirname(directory), 'queue')] =
    harakaFiles(directory).list('queue_dir')
  return path.resolve(queue)
}

/**
 * The folder in which Haraka has its queue directory.
 *
 * @param directory Haraka's config directory.
 */
export function queueParent(directory: string): string {
  return path.dirname(queueDirectory(directory))
}

/**
 * An ini value as haraka-config reads it where the plugin declares it a boolean (`lib/readers/ini.js`, `is_truth`).
 *
 * @param fallback where the key is not there.
 */
export function iniBoolean(section: Section | undefined, key: string, fallback: boolean): boolean {
  if (!section || !Object.hasOwn(section, key)) return fallback
  return /^(?:true|yes|ok|enabled|on|1)$/i.test(String(section[key]))
}
