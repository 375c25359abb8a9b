import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { packageRoot } from '../../src/base/package-root'
import { packedFiles } from './npm'

/** `package-lock.json`: folder of a package → what it needs. The empty one is this repository. */
type Packages = Readonly<Record<string, Needs>>

interface Needs {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** Packages, and what they take on a disk with blocks of 4 KB. */
export interface Weight {
  /** Folders in node_modules. */
  readonly packages: readonly string[]
  readonly octets: number
}

export const BLOCK = 4096

/**
 * What `npm install` of the package adds beside a Haraka 3.3.4, without optional peers: by the lock file and the packages
 * of this repository, where a Haraka is installed too. No registry is asked.
 */
export async function addedBesideHaraka(): Promise<Weight> {
  const lock = readFileSync(path.join(packageRoot(), 'package-lock.json'), 'utf8')
  const { packages } = JSON.parse(lock) as { packages: Packages }
  const shared = closureOf('node_modules/haraka', packages)
  const added = [...closureOf('', packages)].filter((folder) => folder && !shared.has(folder))
  const own = await packedFiles()
  const folders = new Set(own.map((file) => path.dirname(file.path)))
  return {
    packages: ['node_modules/haraka-plugin-unregistered-domain', ...added],
    octets: inBlocks([
      ...own.map(({ size }) => size),
      ...[...folders].map(() => BLOCK),
      ...added.flatMap((folder) => sizesIn(path.join(packageRoot(), folder))),
    ]),
  }
}

export function inBlocks(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + Math.ceil(size / BLOCK) * BLOCK, 0)
}

/** The sizes of the files and folders in a package, without the packages in it. */
export function sizesIn(folder: string): number[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return ['', ...names.filter((name) => !name.startsWith('node_modules'))].map(
    (name) => statSync(path.join(folder, name)).size,
  )
}

/** The folders of a package and of all that it needs. */
function closureOf(start: string, packages: Packages): Set<string> {
  const found = new Set([start])
  // Those that are added meanwhile have their turn, too.
  for (const folder of found) {
    const { dependencies, optionalDependencies } = packages[folder] ?? {}
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const needed = resolve(name, folder, packages)
      if (needed !== undefined) found.add(needed)
    }
  }
  return found
}

/** Where Node.js finds a package: in the node_modules of a folder, or of one above. */
function resolve(name: string, folder: string, packages: Packages): string | undefined {
  const here = path.posix.join(folder, 'node_modules', name)
  if (here in packages) return here
  if (folder === '') return undefined
  return resolve(name, folder.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, ''), packages)
}
