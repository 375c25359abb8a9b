import { createServer, type AddressInfo } from 'node:net'

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
