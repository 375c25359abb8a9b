import type Composer from 'nodemailer/lib/mail-composer'
import { onDemand } from '../base/on-demand'
import type { MailText } from './mail-text'

/** Loaded with the first alert by mail: with its table of media types it takes 0.6 MB. */
// eslint-disable-next-line @typescript-eslint/no-require-imports
const mailComposer = onDemand(() => require('nodemailer/lib/mail-composer') as typeof Composer)

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
  const MailComposer = mailComposer()
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
