import { formatMessage } from '../scripts/services/smtp'
import { runSession, step, type Session, type Step } from './smtp-session'

/** Recipient of all mail of the bench. */
export const RECIPIENT = 'b@far.example'

/** The script of the next message. */
export type Mail = () => readonly Step[]

/** Messages of one kind to one server. */
export interface Load extends Pick<Session, 'port' | 'ip' | 'onDecision'> {
  readonly mail: Mail
  readonly messages: number
  /** Default: 20. */
  readonly sessions?: number
}

/**
 * Sends messages over several sessions at once, each as soon as the last one is answered.
 *
 * @throws Error where an answer is not the expected one
 */
export async function sendMessages(load: Load): Promise<void> {
  const { mail, messages, sessions = 20, ...session } = load
  let left = messages
  const next = () => (left-- > 0 ? mail() : undefined)
  await Promise.all(Array.from({ length: sessions }, () => runSession({ ...session, next })))
}

/** The same message repeatedly. */
export function accepted(from: string): Mail {
  const script = messageFrom(from)
  return () => script
}

/** A message refused at MAIL, repeatedly. */
export function refused(from: string): Mail {
  const script = [step(`MAIL FROM:<${from}>`, '550 5.7.750 ', true)]
  return () => script
}

/** A message of 1 KB to one recipient; the plugin decides at RCPT. */
export function messageFrom(from: string): readonly Step[] {
  const message = formatMessage({ from, to: RECIPIENT, body: `${'x'.repeat(70)}\r\n`.repeat(12) })
  return [
    step(`MAIL FROM:<${from}>`, '250'),
    step(`RCPT TO:<${RECIPIENT}>`, '250', true),
    step('DATA', '354'),
    step(`${message}.`, '250'),
  ]
}
