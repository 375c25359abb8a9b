import { readFileSync } from 'node:fs'
import path from 'node:path'

/** Over so many processes the files that may share one are spread: more than run at a time, so that none ends late. */
const SHARES = 8

/**
 * Which test files run in one process, the groups that take longest first. Those with a Haraka of their own run alone;
 * those of the shared Haraka run with each other, since it is one for a process.
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
