import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Why no connection can leave this host from an IP address; `undefined`: it can. Holds the process no longer than the
 * answer takes.
 */
export async function bindFailure(address: string): Promise<Error | undefined> {
  const server = createServer()
  try {
    server.listen({ host: address, port: 0, exclusive: true })
    await once(server, 'listening')
    return undefined
  } catch (error) {
    return error as Error
  } finally {
    server.close()
  }
}
