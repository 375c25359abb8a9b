import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { freePort } from './port'
import { scratchDir } from './scratch'
import { Service } from './service'
import { findTool } from './tools'

/** The reason that no nginx can run here, for `skip` of a test; false where one can. Root installs it on Debian. */
export const noNginx: string | false = whyNot()

/** A running nginx. */
export interface TestNginx {
  /** The loopback port of each server, in order. */
  readonly ports: readonly number[]
  readonly log: string
  stop(): Promise<void>
}

/**
 * Starts a real nginx on free loopback ports. It ends with stop(), and always with this process.
 *
 * @param servers `server` blocks, with `PORT` where each listens on 127.0.0.1
 * @throws Error with its output, when it does not start
 */
export async function startNginx(servers: readonly string[]): Promise<TestNginx> {
  const program = findTool('nginx')
  const dir = scratchDir('nginx')
  const config = path.join(dir, 'nginx.conf')
  for (let attempt = 1; ; attempt++) {
    const ports = await Promise.all(servers.map(() => freePort()))
    const blocks = servers.map((block, at) => block.replaceAll('PORT', String(ports[at])))
    writeFileSync(config, configuration(dir, blocks))
    const args = ['-p', dir, '-c', config, '-e', 'stderr']
    const nginx = new Service({ command: program, args, cwd: dir })
    try {
      await nginx.waitForLog(/start worker process /)
      return {
        ports,
        get log() {
          return nginx.log
        },
        stop: () => nginx.stop(),
      }
    } catch (error) {
      await nginx.kill()
      // Another process took a port first.
      const taken = (error as Error).message.includes('Address already in use')
      if (!taken || attempt === 5) throw error
    }
  }
}

function configuration(dir: string, servers: readonly string[]): string {
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${dir}/${name};`)
    .join(' ')
  return `${user} daemon off; worker_processes 1; pid ${dir}/pid; error_log stderr notice;
    events {}
    http { access_log off; ${folders}
      ${servers.join('\n')} }`
}

function whyNot(): string | false {
  try {
    findTool('nginx')
    return false
  } catch (error) {
    if (process.getuid?.() === 0) throw error
    return (error as Error).message
  }
}
