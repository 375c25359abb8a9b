import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from '../../src/base/package-root'

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

/** npm without the environment of `npm test`; returns what it prints. */
async function npm(args: readonly string[], cwd: string): Promise<string> {
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

/** Packs this package, as the last build left it, into a folder. */
export async function packInto(folder: string): Promise<{ tarball: string; files: string[] }> {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const [{ filename, files }] = JSON.parse(await npm(args, packageRoot())) as [Packed]
  return { tarball: path.join(folder, filename), files: files.map((file) => file.path) }
}
