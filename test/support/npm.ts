import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from '../../src/base/package-root'

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string; readonly size: number }[]
}

/** npm without the environment of `npm test`; returns what it prints. */
export async function npm(args: readonly string[], cwd: string): Promise<string> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^npm_(lifecycle|package|config_local_prefix|command)/.test(name),
  )
  const env = Object.fromEntries(inherited)
  return (await promisify(execFile)('npm', args, { cwd, env })).stdout
}

/** `npm install` in a folder, quietly. @throws Error with the output of npm */
export async function npmInstall(folder: string, ...args: readonly string[]): Promise<void> {
  await npm(
    ['install', '--prefix', folder, '--no-audit', '--no-fund', '--prefer-offline', ...args],
    folder,
  )
}

/** The files of this package as the last build left them. */
export async function packedFiles(): Promise<Packed['files']> {
  return (await pack('--dry-run')).files
}

/** Packs this package, as the last build left it, into a folder. */
export async function packInto(folder: string): Promise<{ tarball: string; files: string[] }> {
  const { filename, files } = await pack('--pack-destination', folder)
  return { tarball: path.join(folder, filename), files: files.map((file) => file.path) }
}

async function pack(...args: readonly string[]): Promise<Packed> {
  const output = await npm(['pack', '--ignore-scripts', '--json', ...args], packageRoot())
  const [packed] = JSON.parse(output) as [Packed]
  return packed
}
