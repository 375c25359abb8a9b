import MailComposer from 'nodemailer/lib/mail-composer'
import type { MailText } from './mail-text'

export interface Mail extends MailText {
  readonly from: string
  readonly to: readonly string[]
  /** Like `references`, without angle brackets. */
  readonly messageId: string
  readonly references: readonly string[]
  readonly date: Date
}

/**
 * Builds the message as sent: plain UTF-8 text in a 7-bit encoding, marked as automatic so that no vacation
 * responder answers it (RFC 3834 §5).
 */
export async function compose(mail: Mail): Promise<string> {
  const composer = new MailComposer({
    from: mail.from,
    to: [...mail.to],
    subject: mail.subject,
    text: mail.lines.map((line) => `${line}\r\n`).join(''),
    date: mail.date,
    messageId: `<${mail.messageId}>`,
    references: mail.references.map((id) => `<${id}>`),
    headers: {
      'Auto-Submitted': 'auto-generated',
      // RFC 2156 §5.3.4
      ...(mail.urgent ? { Importance: 'high' } : {}),
    },
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const octets = await composer.compile().build()
  return octets.toString('latin1')
}
