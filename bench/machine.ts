import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, readdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { findTool } from '../scripts/services/tools'

const root = path.resolve(__dirname, '..')

/** Where and with what the figures came about. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  readonly node: string
  readonly haraka: string
  readonly redis: string
  readonly plugin: string
  /** What it is compared with, each with its version or that it is not there. */
  readonly peers: readonly string[]
  /** Load averages over one, five and fifteen minutes before the first measurement. */
  readonly loadBefore: readonly number[]
}

/** Looks at this machine. */
export function describeMachine(): Machine {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown CPU',
    cores: os.availableParallelism(),
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    node: process.versions.node,
    haraka: versionOf('node_modules/haraka'),
    redis: redisVersion(),
    plugin: `${versionOf('.')} (${commit()})`,
    peers: [
      `haraka-plugin-limit ${versionOf('node_modules/haraka-plugin-limit')}`,
      `rate-limiter-flexible ${versionOf('node_modules/rate-limiter-flexible')}`,
      ...['redis-tools', 'policyd-rate-limit', 'rspamd'].map(debianVersion),
    ],
    loadBefore: os.loadavg(),
  }
}

/** A word on what makes the figures less worth, or nothing. */
export function warnings({ cores, loadBefore: [load = 0] }: Machine): string[] {
  const found: string[] = []
  if (load > 0.5) {
    found.push(`The machine was busy before (load ${load.toFixed(1)} on ${cores} cores).`)
  }
  if (newest('src', 'plugins') > newest('dist')) {
    found.push('dist/ is older than the sources: npm run build, or it measures what was.')
  }
  return found
}

function versionOf(folder: string): string {
  const text = readFileSync(path.join(root, folder, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function redisVersion(): string {
  const text = execFileSync(findTool('redis-server'), ['--version'], { encoding: 'utf8' })
  return /v=(\S+)/.exec(text)?.[1] ?? 'of unknown version'
}

/** `rspamd 3.4-1` */
function debianVersion(name: string): string {
  try {
    const args = ['--show', '--showformat', '${Version}', name]
    const version = execFileSync('dpkg-query', args, { encoding: 'utf8', stdio: 'pipe' })
    return `${name} ${version || '(not installed)'}`
  } catch {
    return `${name} (not installed)`
  }
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'plugins') !== ''
    return `${git('rev-parse', '--short', 'HEAD').trim()}${changed ? ', changed' : ''}`
  } catch {
    return 'no git'
  }
}

/** When the last file below these folders was written. */
function newest(...folders: string[]): number {
  const times = folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:[jt]s|lua)$/.test(name) && !name.endsWith('.d.ts'))
      .map((name) => statSync(path.join(root, folder, name)).mtimeMs),
  )
  return Math.max(0, ...times)
}
