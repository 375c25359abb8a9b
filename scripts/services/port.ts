import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'

/**
 * A TCP port of the loopback that is free now. Another process may take it before it is used, so callers must be
 * ready to try another one.
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

/** Whether a process accepts connections there; also true of a paused process, since the kernel answers for it. */
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
