import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'

/**
 * A TCP port of the loopback that is free at this moment. Another process can take it before it is
 * used, so who uses it must be ready to try again with another.
 */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** Whether somebody takes connections there; also true of a process that is paused: the kernel answers for it. */
export async function listens(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
