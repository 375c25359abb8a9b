import { formatMessage } from '../scripts/services/smtp'
import { runSession, step, type Session, type Step } from './smtp-session'

/** How many sessions send at a time, where no other number is given. */
const SESSIONS = 20
/** Whom all mail of the bench goes to. */
export const RECIPIENT = 'b@far.example'

/** What is said for the next message. */
export type Mail = () => readonly Step[]

/** Messages of one kind to one server. */
export interface Load extends Pick<Session, 'port' | 'ip' | 'onDecision'> {
  readonly mail: Mail
  readonly messages: number
  readonly sessions?: number
}

/**
 * Sends messages over some sessions at once, as fast as they are answered.
 *
 * @throws Error where one is answered otherwise than expected
 */
export async function sendMessages(load: Load): Promise<void> {
  const { mail, messages, sessions = SESSIONS, ...session } = load
  let left = messages
  const next = () => (left-- > 0 ? mail() : undefined)
  await Promise.all(Array.from({ length: sessions }, () => runSession({ ...session, next })))
}

/** The same message again and again. */
export function accepted(from: string): Mail {
  const script = messageFrom(from)
  return () => script
}

/** A message that ends at MAIL, again and again. */
export function refused(from: string): Mail {
  const script = [step(`MAIL FROM:<${from}>`, '550', true)]
  return () => script
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
