import { once } from 'node:events'
import net from 'node:net'
import { SmtpClient } from './smtp'

/** The target of a flood, and its client addresses, used in turn. */
export interface FloodOptions {
  readonly port: number
  readonly addresses: readonly string[]
}

/** How many connect at a time: the queue of a listening socket is short. */
const AT_A_TIME = 100

/** The clients of a flood. */
export interface Flood {
  /** How many of them are still connected. */
  readonly connected: () => number
  /** Ends all of them without QUIT. */
  readonly end: () => Promise<void>
}

/**
 * Sessions that send EHLO and then nothing.
 *
 * @throws Error where one is not answered
 */
export async function floodIdle(count: number, { port, addresses }: FloodOptions): Promise<Flood> {
  const sockets: net.Socket[] = []
  let begun = 0
  const openSome = async (): Promise<void> => {
    while (begun < count) {
      const socket = await connect(port, addresses[begun++ % addresses.length]!)
      sockets.push(socket)
      await said(socket, /^220 .*\r\n$/s)
      socket.write('EHLO idle.example\r\n')
      await said(socket, /^250 .*\r\n$/m)
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, openSome))
  return floodOf(sockets)
}

/**
 * Sessions that send a command byte by byte, and never complete it.
 *
 * @param pause ms between two bytes
 */
export async function floodSlow(
  count: number,
  { port, addresses }: FloodOptions,
  pause: number,
): Promise<Flood> {
  const sockets = await connectAll(count, port, addresses)
  const timers = sockets.map((socket) => {
    socket.resume()
    let at = 0
    const line = `EHLO ${'slow.'.repeat(90)}example`
    return setInterval(() => {
      if (at < line.length && socket.writable) socket.write(line[at++]!)
    }, pause)
  })
  return floodOf(sockets, () => timers.forEach(clearInterval))
}

/**
 * Endless messages: a line of DATA now and then.
 *
 * @param from its sender, which must be accepted, as `to` must
 * @param pause ms between two lines
 */
export async function floodData(
  count: number,
  { port, addresses }: FloodOptions,
  { from, to, pause }: { from: string; to: string; pause: number },
): Promise<Flood> {
  const open = async (_: unknown, at: number): Promise<net.Socket> => {
    const client = await SmtpClient.open({ port, localAddress: addresses[at % addresses.length]! })
    for (const reply of [await client.mail(from), await client.rcpt(to), await client.data()]) {
      if (!reply.positive) throw new Error(`a message without an end got ${String(reply)}`)
    }
    return client.socket
  }
  const sockets = await Promise.all(Array.from({ length: count }, open))
  const timers = sockets.map((socket) =>
    setInterval(() => {
      if (socket.writable) socket.write('and so on\r\n')
    }, pause),
  )
  return floodOf(sockets, () => timers.forEach(clearInterval))
}

/** Clients that have not read any answer yet. */
export interface DeafFlood extends Flood {
  /** Lets them read, and returns what each has received when the server has closed its connection. */
  readonly hear: () => Promise<readonly string[]>
}

/**
 * Sessions that send many commands at once, and read no answer.
 *
 * @param commands end with QUIT to get all answers
 */
export async function floodDeaf(
  count: number,
  { port, addresses }: FloodOptions,
  commands: readonly string[],
): Promise<DeafFlood> {
  const sockets = await connectAll(count, port, addresses)
  const text = commands.map((command) => `${command}\r\n`).join('')
  for (const socket of sockets) socket.pause().write(text)
  return { ...floodOf(sockets), hear: () => Promise.all(sockets.map(allOf)) }
}

async function allOf(socket: net.Socket): Promise<string> {
  let text = ''
  for await (const data of socket) text += (data as Buffer).toString('latin1')
  return text
}

function floodOf(sockets: readonly net.Socket[], stop = (): void => {}): Flood {
  return {
    connected: () => sockets.filter(({ readyState }) => readyState === 'open').length,
    end: async () => {
      stop()
      const ends = sockets.filter(({ closed }) => !closed).map((socket) => once(socket, 'close'))
      for (const socket of sockets) socket.destroy()
      await Promise.all(ends)
    },
  }
}

async function connectAll(
  count: number,
  port: number,
  addresses: readonly string[],
): Promise<net.Socket[]> {
  const each = (_: unknown, at: number) => connect(port, addresses[at % addresses.length]!)
  return Promise.all(Array.from({ length: count }, each))
}

async function connect(port: number, localAddress: string): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
  await once(socket, 'connect')
  // A server may close connections; `connected` shows that.
  socket.on('error', () => {})
  return socket
}

/** Waits until the input since the last call matches. */
function said(socket: net.Socket, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onData = (data: Buffer): void => {
      text += data.toString('latin1')
      if (!pattern.test(text)) return
      socket.off('data', onData).off('close', onClose)
      resolve()
    }
    const onClose = (): void => reject(new Error(`a session has ended after: ${text}`))
    socket.on('data', onData).on('close', onClose)
  })
}
