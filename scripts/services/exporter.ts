import { freePort } from './port'
import { Service } from './service'
import { tenantctlProgram } from './tenantctl'

/** A running `tenantctl metrics`. */
export interface TestExporter {
  readonly port: number
  /** What it answers now. */
  text(): Promise<string>
  stop(): Promise<void>
}

/**
 * Starts the compiled `tenantctl metrics` on a free loopback port. It ends with stop(), and always with this process.
 *
 * @throws Error with its output, when it does not start
 */
export async function startExporter(configDir: string): Promise<TestExporter> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const listen = ['metrics', '--listen', `127.0.0.1:${port}`]
    const args = [tenantctlProgram, '--config', configDir, ...listen]
    const service = new Service({ command: process.execPath, args, cwd: configDir })
    try {
      await service.waitForLog(/metrics at http:/)
      return {
        port,
        text: async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
        stop: () => service.stop(),
      }
    } catch (error) {
      await service.kill()
      // Another process took the port first.
      if (attempt === 5 || !(error as Error).message.includes('EADDRINUSE')) throw error
    }
  }
}
