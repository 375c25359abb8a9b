import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { MAIL_INCLUDES } from '../../src/mail/scripts'
import { assemble } from '../../src/store/script'

const SOURCES = path.join(__dirname, '../../src')
/** Includes, which are not scripts themselves. */
const isIncluded = (file: string): boolean => path.basename(path.dirname(file)) === 'include'

/** Scripts that the cluster test of another folder runs, by name. */
const RUN_WITH: Readonly<Record<string, string>> = {
  lead: 'events',
  resume_windows: 'events',
  server_time: 'events',
  read_tenant: 'backup',
}

/** Whether a test in this room's folder runs its scripts on a Redis Cluster: see `assertAllRan`. */
export function hasClusterTest(folder: string): boolean {
  return existsSync(path.join(__dirname, '..', folder, 'cluster.long.test.ts'))
}

/** Every script of ours as Redis gets it, by name. */
export function allScripts(): Map<string, string> {
  return scriptsIn(() => true)
}

/** The scripts of the folders that `fits` selects, as {@link allScripts}. */
export function scriptsIn(fits: (folder: string) => boolean): Map<string, string> {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.lua') && !isIncluded(file))
    .filter((file) => fits(RUN_WITH[path.basename(file, '.lua')] ?? file.split(path.sep)[0]!))
    .sort()
  return new Map(
    files.map((file) => {
      const name = path.basename(file, '.lua')
      const source = readFileSync(path.join(SOURCES, file), 'utf8')
      return [name, assemble({ name, source, made: MAIL_INCLUDES })]
    }),
  )
}
