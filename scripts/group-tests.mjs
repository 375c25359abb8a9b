import { readFileSync } from 'node:fs'
import path from 'node:path'

/** The number of processes for files that may share one: more than run at once, so that none ends late. */
const SHARES = 8

/**
 * Groups test files by process, the longest groups first. A file with its own Haraka runs alone; files that use the
 * shared Haraka run together, since each process has one.
 */
export function groupFiles(files) {
  const shared = files.filter((file) => /\bsharedRelay\(/.test(readFileSync(file, 'utf8')))
  const isAlone = (file) => file.split(path.sep)[1] === 'e2e' && !shared.includes(file)
  const others = files.filter((file) => !isAlone(file) && !shared.includes(file))
  const shares = Array.from({ length: SHARES }, (_, share) =>
    others.filter((_file, index) => index % SHARES === share),
  )
  const groups = [shared, ...files.filter(isAlone).map((file) => [file]), ...shares]
  return groups.filter(({ length }) => length > 0)
}
