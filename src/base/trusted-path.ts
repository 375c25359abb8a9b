import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import path from 'node:path'
import { ROOT } from './owned-file'

const WRITABLE_FOR_OTHERS = 0o022
const STICKY = 0o1000
/** As many symbolic links as Linux follows (`MAXSYMLINKS`). */
const MOST_LINKS = 40

/**
 * What on the way to a file another user than root or `caller` could change: a directory, a symbolic link or the file,
 * with the reason. `undefined`: nothing.
 *
 * It walks from the root of the file system, so that nothing can be put in the place of what has been found in order:
 * that takes the right to write in the directory before it. Symbolic links are followed one by one, so that both the
 * path as written and the one that it resolves to are looked at.
 *
 * @param file an absolute path.
 * @param caller uid.
 * @throws as `fs.lstatSync`.
 */
export function changeableByOthers(file: string, caller: number): string | undefined {
  let ahead = names(file)
  let place = path.parse(file).root
  let links = 0
  for (;;) {
    const found = lstatSync(place)
    if (found.uid !== ROOT && found.uid !== caller) return `${place} belongs to uid ${found.uid}`
    if (found.isSymbolicLink()) {
      if (++links > MOST_LINKS) return `${place} is one of too many symbolic links`
      const target = readlinkSync(place)
      ahead = [...names(target), ...ahead]
      place = path.isAbsolute(target) ? path.parse(target).root : path.dirname(place)
      continue
    }
    if (isWritableForOthers(found, ahead.length > 0)) {
      return `${place} is writable for others (mode ${modeOf(found)})`
    }
    const [next, ...rest] = ahead
    if (next === undefined) return undefined
    place = path.join(place, next)
    ahead = rest
  }
}

/** In a sticky directory of root, such as /tmp, nobody can replace what belongs to another user. */
function isWritableForOthers({ mode, uid }: Stats, isParent: boolean): boolean {
  if ((mode & WRITABLE_FOR_OTHERS) === 0) return false
  return !(isParent && uid === ROOT && (mode & STICKY) !== 0)
}

function names(file: string): string[] {
  return file.split(path.sep).filter((name) => name !== '')
}

function modeOf({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}
