import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect, type AddressInfo, type Server } from 'node:net'
import { UserError } from '../../base/errors'
import { listenText, type Listen } from '../../config/listen'
import type { Socket } from '../access/settings'

/**
 * Listens, and says where: the port may have been left open.
 *
 * @param mode of a socket.
 * @throws {UserError} it cannot listen there.
 */
export async function listenAt(
  server: Server,
  at: Listen | Socket,
  mode = 0o660,
): Promise<Listen | Socket> {
  try {
    if ('socket' in at) await removeDead(at.socket)
    const before = 'socket' in at ? process.umask(0o777 & ~mode) : undefined
    server.listen('socket' in at ? { path: at.socket } : { host: at.address, port: at.port })
    if (before !== undefined) process.umask(before)
    await once(server, 'listening')
  } catch (error) {
    throw cannotListen(at, error as NodeJS.ErrnoException)
  }
  if ('socket' in at) return at
  return { ...at, port: (server.address() as AddressInfo).port }
}

/** Removes a socket on which nobody listens any more: a process that was killed leaves it. */
async function removeDead(socket: string): Promise<void> {
  const trial = connect(socket)
  try {
    await once(trial, 'connect')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') rmSync(socket)
  } finally {
    trial.destroy()
  }
}

function cannotListen(at: Listen | Socket, { code, message }: NodeJS.ErrnoException): UserError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another process listens there: end it, or name another place',
    EADDRNOTAVAIL: 'this machine has no such address',
    EACCES: 'this user may not listen there',
    ENOENT: 'its directory does not exist',
  }
  const place = 'socket' in at ? at.socket : listenText(at)
  return new UserError(`cannot listen on ${place}: ${why[code ?? ''] ?? message}`, 1)
}
