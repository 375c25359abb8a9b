import { once } from 'node:events'
import { rmSync } from 'node:fs'
import type { Server as HttpServer } from 'node:http'
import { connect, isIPv6, type AddressInfo, type Server } from 'node:net'
import { InputError, UserError } from './errors'
import { contains, readPrefix } from './ip-prefix'

/** How long an answer in progress may take when a server stops, in ms. */
const ENDING = 1000

/** Where a server listens. */
export interface Listen {
  readonly address: string
  /** 0: a free one. */
  readonly port: number
}

/** A Unix socket, by its absolute path. */
export interface Socket {
  readonly socket: string
}

/** Parses ADDRESS:PORT. @param example a port, for messages. */
export function listenParser(example: number): (given: string) => Listen {
  return (given) => {
    const [, six, four, port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(given) ?? []
    const address = six ?? four ?? ''
    const prefix = readPrefix(address)
    const isAddress =
      prefix !== undefined && !address.includes('/') && (six === undefined || isIPv6(six))
    if (!isAddress || Number(port) > 65_535) {
      throw new InputError(
        `"${given}" is not ADDRESS:PORT: write an IP address and a port, such as 127.0.0.1:${example} or [::1]:${example}`,
      )
    }
    return { address, port: Number(port) }
  }
}

/** As a {@link listenParser} reads it. */
export function listenText({ address, port }: Listen): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${port}`
}

const LOOPBACK = ['127.0.0.0/8', '::1'].map((each) => readPrefix(each)!)

/** Whether only this machine can reach it. */
export function isLoopback({ address }: Listen): boolean {
  const prefix = readPrefix(address)
  return prefix !== undefined && LOOPBACK.some((each) => contains(each, prefix))
}

/**
 * Listens, and says where: the port may have been left open.
 *
 * @param key what names the place, for messages.
 * @param mode of a socket.
 * @throws {UserError} it cannot listen there.
 */
export async function listenAt<P extends Listen | Socket>(
  server: Server,
  at: P,
  key: string,
  mode = 0o660,
): Promise<P> {
  try {
    if ('socket' in at) await removeDead(at.socket)
    const before = 'socket' in at ? process.umask(0o777 & ~mode) : undefined
    server.listen('socket' in at ? { path: at.socket } : { host: at.address, port: at.port })
    if (before !== undefined) process.umask(before)
    await once(server, 'listening')
  } catch (error) {
    throw cannotListen(at, key, error as NodeJS.ErrnoException)
  }
  return 'socket' in at ? at : { ...at, port: (server.address() as AddressInfo).port }
}

/** Removes a socket on which no process listens any more: a process that was killed leaves it. */
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

function cannotListen(
  at: Listen | Socket,
  key: string,
  { code, message }: NodeJS.ErrnoException,
): UserError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `another process listens there: end it, or name another ${'socket' in at ? 'place' : 'port'}`,
    EADDRNOTAVAIL: 'this machine has no such address',
    EACCES:
      'socket' in at
        ? 'this user may not write there'
        : 'this user may not listen on that port: name one from 1024 on',
    ENOENT: 'its directory does not exist',
  }
  const place = 'socket' in at ? at.socket : listenText(at)
  return new UserError(`cannot listen on ${place}: ${why[code ?? ''] ?? message} (${key})`, 1)
}

/** Lets answers in progress end, and closes all connections. */
export async function stopServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const timer = setTimeout(() => (server as Partial<HttpServer>).closeAllConnections?.(), ENDING)
  await closed
  clearTimeout(timer)
}
