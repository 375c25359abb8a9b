import { once } from 'node:events'
import net from 'node:net'

/** A command, and the required beginning of its reply. */
export interface Step {
  readonly command: Buffer
  readonly answer: string
  /** The plugin decides here: the answer is timed. */
  readonly decides?: boolean
}

export function step(command: string, answer: string, decides = false): Step {
  return { command: Buffer.from(`${command}\r\n`), answer, decides }
}

type Steps = readonly Step[] | undefined

export interface Session {
  readonly port: number
  /** Address to come from. */
  readonly ip: string
  /** The next commands; `undefined` or none: QUIT. */
  readonly next: () => Steps | Promise<Steps>
  /** Receives the time of each answer that the plugin decides, in ms. */
  readonly onDecision?: ((ms: number) => void) | undefined
}

/** ms: a server that is silent for longer has failed. */
const PATIENCE = 120_000
const EHLO = step('EHLO client.example', '250')
const QUIT = step('QUIT', '221')

/**
 * One SMTP session from EHLO to QUIT.
 *
 * The client is as fast as possible: a server that waits for its client wakes up for each command, which costs more
 * than the plugins.
 *
 * @throws Error where an answer is not the expected one, or the session ends early
 */
export async function runSession({ port, ip, next, onDecision }: Session): Promise<void> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: ip, noDelay: true })
  socket.setTimeout(PATIENCE, () => socket.destroy(new Error(`a session from ${ip} got no answer`)))
  let script: readonly Step[] = []
  let at = 0
  let awaited: Step | undefined
  let saidAt = 0
  const say = (what: Step): void => {
    awaited = what
    if (onDecision) saidAt = performance.now()
    socket.write(what.command)
  }
  const begin = (steps: Steps): void => {
    script = steps ?? []
    at = 0
    say(script[at++] ?? QUIT)
  }
  const goOn = (): void => {
    if (at < script.length) return say(script[at++]!)
    const steps = next()
    // No await where there is nothing to wait for.
    if (steps instanceof Promise) steps.then(begin, (error: Error) => socket.destroy(error))
    else begin(steps)
  }
  const onLine = (line: string): void => {
    if (line[3] === '-') return
    if (awaited === undefined) return say(EHLO)
    if (!line.startsWith(awaited.answer)) {
      const said = awaited.command.toString('latin1', 0, 60).split('\r\n')[0]
      socket.destroy(new Error(`to "${said}" from ${ip} came: ${line}`))
    } else if (awaited !== QUIT) {
      if (awaited.decides) onDecision?.(performance.now() - saidAt)
      goOn()
    }
  }
  let rest = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    const lines = (rest + text).split('\r\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
  // Rejects with the error of a socket that was destroyed with one.
  await once(socket, 'close')
  if (awaited !== QUIT) throw new Error(`a session from ${ip} has ended early`)
}
