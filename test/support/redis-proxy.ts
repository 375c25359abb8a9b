import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP proxy to a Redis that can lose answers after the commands were executed. */
export interface RedisProxy {
  readonly port: number
  /** From now on commands arrive, and answers are held. */
  hold(): void
  /** From now on nothing arrives at Redis. */
  holdCommands(): void
  /** From now on each answer is delayed by this many ms, in order; 0 ends that. */
  delay(ms: number): void
  /** Passes on what was held and all that follows. */
  release(): void
  /** How many pieces of commands or answers are held. */
  readonly held: number
  /** Ends all connections; what was held is lost. New ones may come. */
  cut(): void
  /**
   * Ends all connections for their clients, and lets new ones work; held commands still reach Redis, with {@link
   * release}.
   */
  strand(): void
  /** Present connections stay open, but pass nothing on; new ones work. */
  freeze(): void
  /** How many such connections their clients have not given up. */
  readonly frozen: number
  /** How many connections have been made since the start. */
  readonly connections: number
  stop(): Promise<void>
}

/** Starts such a proxy to a port of the loopback, on a free port. */
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

/** Writes each piece after its delay in ms, in order. */
function inOrder(write: (bytes: Buffer) => void): (bytes: Buffer, lateness: number) => void {
  const late: Buffer[] = []
  return (bytes, lateness) => {
    if (lateness === 0 && late.length === 0) return write(bytes)
    late.push(bytes)
    // Any timer sends the piece that has waited longest.
    setTimeout(() => write(late.shift()!), lateness)
  }
}
