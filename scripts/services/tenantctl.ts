import { execFile } from 'node:child_process'
import path from 'node:path'

/** The result of a run of tenantctl. */
export interface Run {
  status: number
  stdout: string
  stderr: string
}

/** The compiled program. */
export const tenantctlProgram = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')

/** Runs the compiled tenantctl as a program. */
export function tenantctl(
  args: string[],
  {
    input = '',
    cwd,
    env = process.env,
  }: { input?: string; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [tenantctlProgram, ...args],
      { env, ...(cwd !== undefined && { cwd }), timeout: 30_000 },
      (error, stdout, stderr) => {
        const status = error ? error.code : 0
        if (typeof status === 'number') resolve({ status, stdout, stderr })
        else reject(error ?? new Error('tenantctl ended without a status'))
      },
    )
    // A command that does not read stdin may end before we write.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
