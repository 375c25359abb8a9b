import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP way to a Redis on which answers can get lost after the commands were carried out. */
export interface RedisProxy {
  readonly port: number
  /** From now on commands arrive, and what Redis answers is not passed on. */
  hold(): void
  /** From now on nothing arrives at Redis. */
  holdCommands(): void
  /** From now on each answer comes so many ms later than Redis gives it, and none overtakes another; 0 ends that. */
  delay(ms: number): void
  /** Passes on what was held, and all that follows. */
  release(): void
  /** How many pieces of commands or answers are held. */
  readonly held: number
  /** Ends all connections; what was held is lost. New ones may come. */
  cut(): void
  /**
   * Ends all connections as their clients see it, and lets new ones work; commands that were held reach Redis all the
   * same, with {@link release}.
   */
  strand(): void
  /** The connections there are stay open, and nothing passes on them any more; new ones work. */
  freeze(): void
  /** How many connections are held so and have not been given up by their clients. */
  readonly frozen: number
  /** How many connections have been made since the start. */
  readonly connections: number
  stop(): Promise<void>
}

/** Starts such a way to a port of the loopback, on a free port of its own. */
export async function startRedisProxy(redisPort: number): Promise<RedisProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  const frozen = new Set<readonly [Socket, Socket]>()
  let holding: 'commands' | 'answers' | undefined
  let held: (() => void)[] = []
  let connections = 0
  let lateness = 0

  const pass = (what: typeof holding, write: () => void): void => {
    if (holding === what) held.push(write)
    else write()
  }
  const hold = (what: typeof holding): void => {
    assert.equal(holding, undefined)
    holding = what
  }

  const server = createServer({ noDelay: true }, (client) => {
    const redis = connect({ port: redisPort, host: '127.0.0.1', noDelay: true })
    const pair = [client, redis] as const
    pairs.add(pair)
    connections++
    const answer = inOrder((bytes: Buffer) => client.write(bytes))
    client.on('data', (bytes) => pass('commands', () => redis.write(bytes)))
    redis.on('data', (bytes) => pass('answers', () => answer(bytes, lateness)))
    for (const socket of pair) {
      socket.on('error', () => {})
      socket.on('close', () => {
        pairs.delete(pair)
        frozen.delete(pair)
        for (const each of pair) each.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const cut = () => {
    held = []
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    hold: () => hold('answers'),
    holdCommands: () => hold('commands'),
    delay(ms) {
      lateness = ms
    },
    release() {
      holding = undefined
      for (const write of held.splice(0)) write()
    },
    get held() {
      return held.length
    },
    cut,
    strand() {
      holding = undefined
      for (const [client, redis] of pairs) {
        client.removeAllListeners('close').destroy()
        held.push(() => redis.end())
      }
    },
    freeze() {
      for (const pair of pairs) frozen.add(pair)
      for (const socket of [...pairs].flat()) socket.removeAllListeners('data').resume()
    },
    get frozen() {
      return frozen.size
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

/** Writes each piece after its own time in ms, but never before one that came earlier. */
function inOrder(write: (bytes: Buffer) => void): (bytes: Buffer, lateness: number) => void {
  const late: Buffer[] = []
  return (bytes, lateness) => {
    if (lateness === 0 && late.length === 0) return write(bytes)
    late.push(bytes)
    // Whichever timer comes first, the piece that has waited longest goes.
    setTimeout(() => write(late.shift()!), lateness)
  }
}
