import { formatMessage } from '../scripts/services/smtp'
import { runSession, step, type Session, type Step } from './smtp-session'

/** How many sessions send at a time, where no other number is given. */
const SESSIONS = 20
const RECIPIENT = 'b@far.example'

/** Messages of one kind to one server. */
export interface Load extends Pick<Session, 'port' | 'ip' | 'onDecision'> {
  readonly from: string
  readonly messages: number
  /** What is to be answered to MAIL (a refusal), or to the final dot. */
  readonly expect: 'accepted' | 'refused'
  readonly sessions?: number
}

/**
 * Sends messages over some sessions at once, each with one recipient, as fast as they are answered.
 *
 * @throws Error where one is answered otherwise than expected
 */
export async function sendMessages(load: Load): Promise<void> {
  const { from, messages, expect, sessions = SESSIONS, ...session } = load
  const script = expect === 'accepted' ? messageFrom(from) : refusalOf(from)
  let left = messages
  const next = () => (left-- > 0 ? script : undefined)
  await Promise.all(Array.from({ length: sessions }, () => runSession({ ...session, next })))
}

/**
 * A message of 1 KB to one recipient, whose decision is the answer to RCPT.
 *
 * @param mailToo times the answer to MAIL, too.
 */
export function messageFrom(from: string, mailToo = false): readonly Step[] {
  const message = formatMessage({ from, to: RECIPIENT, body: `${'x'.repeat(70)}\r\n`.repeat(12) })
  return [
    step(`MAIL FROM:<${from}>`, '250', mailToo),
    step(`RCPT TO:<${RECIPIENT}>`, '250', true),
    step('DATA', '354'),
    step(`${message}.`, '250'),
  ]
}

/** A message that ends at MAIL. */
function refusalOf(from: string): readonly Step[] {
  return [step(`MAIL FROM:<${from}>`, '550', true)]
}
