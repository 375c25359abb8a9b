import { once } from 'node:events'
import net from 'node:net'
import { formatMessage } from '../scripts/services/smtp'

/** How many sessions send at a time, where no other number is given. */
const SESSIONS = 20
const RECIPIENT = 'b@far.example'

/** Messages of one kind to one server. */
export interface Load {
  readonly port: number
  readonly from: string
  /** Address to come from. */
  readonly ip: string
  readonly messages: number
  /** What is to be answered to MAIL (a refusal), or to the final dot. */
  readonly expect: 'accepted' | 'refused'
  readonly sessions?: number
  /** Is told how long each answer to RCPT took, in ms; where MAIL is to be refused, to MAIL. */
  readonly onDecision?: (ms: number) => void
}

/**
 * Sends messages over some sessions at once, each with one recipient, as fast as they are answered.
 *
 * A client as lean as can be: a server that waits for its client wakes up for each command alone, and that costs it
 * more than the plugins do.
 *
 * @throws Error where one is answered otherwise than expected
 */
export async function sendMessages(load: Load): Promise<void> {
  const counter = { left: load.messages }
  const script = scriptOf(load)
  const sessions = Array.from({ length: load.sessions ?? SESSIONS })
  await Promise.all(sessions.map(() => runSession(load, script, counter)))
}

/** What a session says, and how each answer must begin. */
interface Step {
  readonly command: Buffer
  readonly answer: string
  /** Here the plugin decides. */
  readonly decides?: boolean
}

function scriptOf({ from, expect }: Load): readonly Step[] {
  const step = (command: string, answer: string, decides = false): Step => ({
    command: Buffer.from(`${command}\r\n`),
    answer,
    decides,
  })
  if (expect === 'refused') return [step(`MAIL FROM:<${from}>`, '550', true)]
  // 1 KB with its headers.
  const message = formatMessage({ from, to: RECIPIENT, body: `${'x'.repeat(70)}\r\n`.repeat(12) })
  return [
    step(`MAIL FROM:<${from}>`, '250'),
    step(`RCPT TO:<${RECIPIENT}>`, '250', true),
    step('DATA', '354'),
    step(`${message}.`, '250'),
  ]
}

async function runSession(
  { port, ip, from, onDecision }: Load,
  script: readonly Step[],
  counter: { left: number },
): Promise<void> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: ip, noDelay: true })
  let awaited: Step | undefined
  let at = 0
  let saidAt = 0
  const say = (step: Step): void => {
    awaited = step
    if (onDecision) saidAt = performance.now()
    socket.write(step.command)
  }
  const goOn = (): void => {
    if (at === script.length) at = 0
    if (at === 0 && counter.left-- <= 0) say(QUIT)
    else say(script[at++]!)
  }
  const onLine = (line: string): void => {
    if (line[3] === '-') return
    if (awaited === undefined) say(EHLO)
    else if (!line.startsWith(awaited.answer))
      socket.destroy(new Error(`${from} from ${ip} got: ${line}`))
    else if (awaited !== QUIT) {
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
  if (awaited !== QUIT) throw new Error(`the session of ${from} from ${ip} has ended early`)
}

const EHLO: Step = { command: Buffer.from('EHLO client.example\r\n'), answer: '250' }
const QUIT: Step = { command: Buffer.from('QUIT\r\n'), answer: '221' }
