import { execFileSync } from 'node:child_process'
import { accessSync, chmodSync, chownSync, constants, writeFileSync } from 'node:fs'
import path from 'node:path'
import { freePort, listens } from '../scripts/services/port'
import { scratchDir } from '../scripts/services/scratch'
import { Service } from '../scripts/services/service'
import { waitFor } from '../scripts/services/wait-for'

/** A policy server of a Debian package. */
export interface PeerServer {
  /** Program and Debian package. */
  readonly name: string
  /** Its files, by name, in a folder of its own. */
  readonly files: (port: number, dir: string) => Readonly<Record<string, string>>
  readonly args: (dir: string) => readonly string[]
}

export interface RunningServer {
  readonly port: number
  readonly stop: () => Promise<void>
}

/** Where a program is, in the folders in which Debian has it; `undefined`: it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/bin']
  return folders
    .filter(Boolean)
    .map((folder) => path.join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** Why there is nothing of it in the result. */
export function notInstalled(name: string): string {
  return `is not installed (Debian: apt-get install ${name})`
}

/**
 * Starts it on a free loopback port, as nobody where we are root: it needs no rights.
 *
 * @returns why it cannot be started here
 */
export async function startPeerServer({
  name,
  files,
  args,
}: PeerServer): Promise<RunningServer | string> {
  const command = findProgram(name)
  if (command === undefined) return notInstalled(name)
  const dir = scratchDir(name)
  const user = process.getuid?.() === 0 ? nobody() : undefined
  const port = await freePort()
  for (const [file, text] of Object.entries(files(port, dir))) {
    writeFileSync(path.join(dir, file), text)
  }
  if (user) {
    chmodSync(path.dirname(dir), 0o711)
    chownSync(dir, user.uid, user.gid)
  }
  const service = new Service({ command, args: [...args(dir)], cwd: dir, ...(user && { user }) })
  await waitFor(async () => service.ended || (await listens(port)), { timeout: 30_000 }).catch(
    () => {},
  )
  if (await listens(port)) return { port, stop: () => service.kill() }
  await service.kill()
  const [why = 'it wrote nothing'] = service.log.trim().split('\n').slice(-1)
  return `does not start: ${why}`
}

function nobody(): { uid: number; gid: number } {
  const id = (option: string): number =>
    Number(execFileSync('id', [option, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
