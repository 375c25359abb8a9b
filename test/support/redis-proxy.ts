import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP way to a Redis on which answers can get lost after the commands were carried out. */
export interface RedisProxy {
  readonly port: number
  /** From now on commands arrive, and what Redis answers is not passed on. */
  hold(): void
  /** Passes on what was held, and all that follows. */
  release(): void
  /** Ends all connections; what was held is lost. New ones may come. */
  cut(): void
  /** The connections there are stay open, and nothing passes on them any more; new ones work. */
  freeze(): void
  /** How many connections have been made since the start. */
  readonly connections: number
  stop(): Promise<void>
}

/** Starts such a way to a port of the loopback, on a free port of its own. */
export async function startRedisProxy(redisPort: number): Promise<RedisProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let held: (() => void)[] | undefined
  let connections = 0

  const server = createServer({ noDelay: true }, (client) => {
    const redis = connect({ port: redisPort, host: '127.0.0.1', noDelay: true })
    const pair = [client, redis] as const
    pairs.add(pair)
    connections++
    client.on('data', (bytes) => redis.write(bytes))
    redis.on('data', (bytes) => {
      const pass = () => client.write(bytes)
      if (held) held.push(pass)
      else pass()
    })
    for (const socket of pair) {
      socket.on('error', () => {})
      socket.on('close', () => {
        pairs.delete(pair)
        for (const each of pair) each.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const cut = () => {
    held &&= []
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    hold: () => (held ??= []),
    release() {
      const passes = held ?? []
      held = undefined
      for (const pass of passes) pass()
    },
    cut,
    freeze() {
      for (const socket of [...pairs].flat()) socket.removeAllListeners('data').resume()
    },
    get connections() {
      return connections
    },
    async stop() {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
