import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { TestHaraka } from '../scripts/services/haraka'
import { waitFor } from '../scripts/services/wait-for'
import type { CpuProfile } from './cpu-profile'

const FILE = 'bench.cpuprofile'
/** Between two samples, in µs. */
const INTERVAL = 200

/** A plugin that profiles its Haraka from one SIGUSR2 to the next: `--cpu-prof` would show the start, too. */
export const PROFILER = {
  name: 'bench_profiler',
  text: `
const { Session } = require('node:inspector')
const { renameSync, writeFileSync } = require('node:fs')
const file = require('node:path').join(process.env.HARAKA, '${FILE}')

exports.register = function () {
  let session
  process.on('SIGUSR2', () => {
    if (!session) {
      session = new Session()
      session.connect()
      session.post('Profiler.enable')
      session.post('Profiler.setSamplingInterval', { interval: ${INTERVAL} })
      session.post('Profiler.start', () => this.lognotice('profiling'))
      return
    }
    session.post('Profiler.stop', (error, { profile }) => {
      session.disconnect()
      session = undefined
      writeFileSync(file + '.new', JSON.stringify(profile))
      renameSync(file + '.new', file)
    })
  })
}
`,
}

/** Profiles a Haraka with {@link PROFILER} while `work` runs. */
export async function profiled(
  haraka: TestHaraka,
  work: () => Promise<unknown>,
): Promise<CpuProfile> {
  const file = path.join(haraka.dir, FILE)
  rmSync(file, { force: true })
  const from = haraka.log.length
  haraka.signal('SIGUSR2')
  await haraka.waitForLog(/bench_profiler\] profiling/, { from })
  await work()
  haraka.signal('SIGUSR2')
  await waitFor(() => existsSync(file), { what: `the profile ${file}`, timeout: 60_000 })
  return JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
}
