import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { findTool } from '../scripts/services/tools'

const ROOT = path.resolve(__dirname, '..')

/** The machine and the versions, in sentences. */
export function describeMachine(): readonly string[] {
  const cores = os.availableParallelism()
  const gigabytes = Math.round(os.totalmem() / 2 ** 30)
  const [load = 0] = os.loadavg()
  const redis = execFileSync(findTool('redis-server'), ['--version'], { encoding: 'utf8' })
  return [
    `${cores} cores of ${os.cpus()[0]?.model}, ${gigabytes} GB, ${os.type()} ${os.release()}.`,
    `Plugin ${versionOf('.')} (${commit()}), Haraka ${versionOf('node_modules/haraka')}, ` +
      `haraka-plugin-limit ${versionOf('node_modules/haraka-plugin-limit')}, ` +
      `Node.js ${process.versions.node}, Redis ${/v=(\S+)/.exec(redis)?.[1]}.`,
    `Load before it: ${load.toFixed(1)} on ${cores} cores${load > 0.5 ? ': the machine was busy' : ''}.`,
  ]
}

/** Whether this program is in the PATH. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0
}

function versionOf(folder: string): string {
  const text = readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** `a1b2c3d`, with `-dirty` where a file has been changed since. */
function commit(): string {
  const args = ['describe', '--always', '--dirty', '--exclude=*']
  const { stdout, status } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : 'no git'
}
