import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { atMost, atMostMegabytes, megabytes, whole, type Row, type Section } from './row'

const ROOT = path.resolve(__dirname, '..')
const MOST_PACKAGES = 40
const MOST_BYTES = 21 * 2 ** 20
/** Bytes of a block of the disk; a folder takes one, too. */
const BLOCK = 4_096

/** What is used of package-lock.json. */
export interface Lockfile {
  /** By folder; `''` is the package itself. */
  readonly packages: Readonly<Record<string, LockedPackage>>
}

interface LockedPackage {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** What `npm install` puts on the disk of a relay. */
interface Installed {
  readonly packages: number
  readonly bytes: number
}

/** What an installation of the plugin adds to a Haraka. */
export const install: Section = {
  name: 'install',
  title: 'What npm install adds to a Haraka',
  meaning:
    'From package-lock.json and node_modules: the plugin, and the packages that it needs and Haraka does not bring along. ' +
    'The size is that on disk, as du counts it: files in blocks of 4 KB.',
  run: ({ against }) => {
    const before = against === undefined ? undefined : installed(against)
    return Promise.resolve({ rows: rowsOf(installed(ROOT), before) })
  },
}

function rowsOf(here: Installed, before: Installed | undefined): Row[] {
  const packages = {
    what: 'packages',
    figure: whole(here.packages),
    ...(before && { before: whole(before.packages) }),
    target: atMost(MOST_PACKAGES, here.packages),
    numbers: { packages: here.packages },
  }
  const size = {
    what: 'size',
    figure: megabytes(here.bytes),
    ...(before && { before: megabytes(before.bytes) }),
    target: atMostMegabytes(MOST_BYTES, here.bytes),
    numbers: { bytes: here.bytes },
  }
  return [packages, size]
}

/** What the plugin of a repository adds to its Haraka. The plugin is as the last build left it. */
export function installed(folder: string): Installed {
  const text = readFileSync(path.join(folder, 'package-lock.json'), 'utf8')
  const added = addedTo('node_modules/haraka', JSON.parse(text) as Lockfile)
  const sizes = added.map((name) => sizeOf(path.join(folder, name)))
  const bytes = sizes.reduce((sum, size) => sum + size, publishedSize(folder))
  return { packages: 1 + added.length, bytes }
}

/**
 * A folder of each package that the plugin needs, without those that the package in `host` needs too. Two versions are
 * two packages. npm installs a package twice only where another version is in the way, such as one for the tests here.
 */
export function addedTo(host: string, { packages }: Lockfile): string[] {
  const needs = (folder: string, found = new Set<string>()): Set<string> => {
    const { dependencies, optionalDependencies } = packages[folder] ?? {}
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const place = resolve(name, folder, packages)
      if (place === undefined || found.has(place)) continue
      found.add(place)
      needs(place, found)
    }
    return found
  }
  const named = (folder: string): string => {
    return `${folder.split('node_modules/').at(-1)}@${packages[folder]!.version}`
  }
  const brought = new Set([...needs(host)].map(named))
  const added = new Map([...needs('')].map((folder) => [named(folder), folder]))
  return [...added].filter(([name]) => !brought.has(name)).map(([, folder]) => folder)
}

/** The folder in which Node.js finds a package, seen from another; none if npm did not install it. */
function resolve(name: string, from: string, packages: Lockfile['packages']): string | undefined {
  const place = path.posix.join(from, 'node_modules', name)
  if (place in packages) return place
  const outer = from.lastIndexOf('node_modules/')
  return outer < 0 ? undefined : resolve(name, from.slice(0, outer).replace(/\/$/, ''), packages)
}

/** Bytes on disk of a package, without packages inside it. */
export function sizeOf(folder: string): number {
  const sizes = readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const file = path.join(folder, entry.name)
    if (!entry.isDirectory()) return onDisk(lstatSync(file).size)
    return entry.name === 'node_modules' ? 0 : sizeOf(file)
  })
  return sizes.reduce((sum, size) => sum + size, BLOCK)
}

/** Bytes on disk of the files that npm publishes. */
function publishedSize(folder: string): number {
  const options = { cwd: folder, encoding: 'utf8', stdio: 'pipe' } as const
  const pack = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], options)
  const [{ files }] = JSON.parse(pack) as [{ files: readonly { size: number }[] }]
  return files.reduce((sum, { size }) => sum + onDisk(size), 0)
}

function onDisk(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK
}
