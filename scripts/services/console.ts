import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { formatIni, type Ini } from './ini'
import { scratchDir } from './scratch'
import { Service } from './service'
import { tenantctl, tenantctlProgram } from './tenantctl'

/** A role of a person in the console. */
type Role = 'viewer' | 'operator' | 'admin'

/** A running `tenantctl console`. */
export interface TestConsole {
  /** What browsers open, without a slash at the end. */
  readonly url: string
  /** Its config directory. */
  readonly configDir: string
  /** Its log so far. */
  readonly log: string
  readonly pid: number
  /** A link that signs a person in, once: with it a browser shows a page with one button. */
  link(role: Role, person?: string): Promise<string>
  /** Signs a person in without a browser. Returns what a browser sends as `Cookie`. */
  signIn(role: Role, person?: string): Promise<string>
  stop(): Promise<void>
}

/**
 * Starts the compiled `tenantctl console` on a free loopback port. It ends with stop(), and always with this process.
 *
 * @param ini its ini file; a `listen` in `[console]` names another port, or a socket
 * @throws Error with its output, when it does not start
 */
export async function startConsole(ini: Ini): Promise<TestConsole> {
  const configDir = scratchDir('console')
  const state = path.join(configDir, 'state')
  const console = { listen: '127.0.0.1:0', state, ...ini['console'] }
  writeFileSync(path.join(configDir, 'unregistered-domain.ini'), formatIni({ ...ini, console }))
  const global = ['--config', configDir]
  const args = [tenantctlProgram, ...global, 'console']
  const service = new Service({ command: process.execPath, args, cwd: configDir })
  const [, url = ''] = await service.waitForLog(/console at (\S+)\/\n/)
  const link = async (role: Role, person = 'ann'): Promise<string> => {
    const env = { ...process.env, SUDO_USER: person }
    const run = await tenantctl([...global, 'console', 'link', '--role', role], { env })
    if (run.status !== 0) throw new Error(run.stderr)
    return run.stdout.trim()
  }
  const signIn = async (role: Role, person?: string): Promise<string> => {
    const headers = { origin: new URL(url).origin }
    const body = new URLSearchParams()
    const to = await link(role, person)
    const { status, headers: answer } = await fetch(to, {
      method: 'POST',
      redirect: 'manual',
      headers,
      body,
    })
    const [cookie] = (answer.get('set-cookie') ?? '').split(';')
    if (status !== 303 || !cookie) throw new Error(`signing in was answered ${status}`)
    return cookie
  }
  return {
    ...{ url, configDir, link, signIn },
    pid: service.pid,
    get log() {
      return service.log
    },
    stop: () => service.stop({ patience: 10_000 }),
  }
}
