import { formatMessage } from '../scripts/services/smtp'
import { signMessage } from '../test/support/signed'
import { RECIPIENT, type Mail } from './mail-load'
import { step } from './smtp-session'

/** Who signs. */
export const SIGNER = { domain: 'bank.example', selector: 's1', type: 'rsa', bits: 2048 } as const

const LINE = `${'x'.repeat(70)}\r\n`

/** How large the messages are. */
export interface Size {
  /** Of the body, of 72 octets each. */
  readonly lines: number
}

/**
 * Messages that an outside sender has signed and sent to a tenant's mailbox, each with a signature of its own: one
 * signature proves five recipients at most. Signed before anything is measured, by RSA with 2048 bits, as most mail is.
 */
export class SignedMail {
  private readonly headers: Buffer[] = []
  private readonly body: Buffer

  /**
   * @param count how many different ones there are; after them the first comes again.
   * @param to the mailbox of the tenant, whose signed To it is.
   */
  constructor(count: number, to: string, { lines }: Size) {
    const from = `news@${SIGNER.domain}`
    const body = LINE.repeat(lines)
    let bodyHash: string | undefined
    for (let number = 0; number < count; number++) {
      const headers = {
        Date: 'Sun, 29 Nov 2026 01:00:00 +0000',
        'Message-ID': `<${number}@${SIGNER.domain}>`,
      }
      const message = formatMessage({ from, to, subject: `News ${number}`, body, headers })
      const tags = bodyHash === undefined ? {} : { bh: bodyHash }
      const signed = signMessage(message, { ...SIGNER, tags })
      bodyHash ??= /; bh=([^;]+);/.exec(signed)?.[1]
      this.headers.push(Buffer.from(signed.slice(0, signed.indexOf('\r\n\r\n') + 4)))
    }
    this.body = Buffer.from(`${body}\r\n.\r\n`)
  }

  /** One after the other, from the first on, forwarded by the tenant; the decision is the answer to the message. */
  mail(): Mail {
    const before = [
      step(`MAIL FROM:<news@${SIGNER.domain}>`, '250'),
      step(`RCPT TO:<${RECIPIENT}>`, '250'),
      step('DATA', '354'),
    ]
    let number = 0
    return () => {
      const header = this.headers[number++ % this.headers.length]!
      const command = Buffer.concat([header, this.body])
      return [...before, { command, answer: '250', decides: true }]
    }
  }
}
