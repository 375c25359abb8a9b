import { InputError } from '../base/errors'
import { addressText, envelopeDomain, parseEnvelope } from './envelope'

/** Printable US-ASCII without quotes: what every server on the way takes, without SMTPUTF8 (RFC 6531). */
const PLAIN = /^[!#-~]{1,64}$/

/** A mail address of people, for whom mail is sent to it. */
export interface Mailbox {
  /** `user@domain`, the domain as lower-case A-labels. */
  readonly address: string
  readonly domain: string
}

/**
 * The mail address that an operator typed.
 *
 * @throws {InputError} with the reason, if no mail could be sent there.
 */
export function parseMailbox(input: string): Mailbox {
  const envelope = envelopeIn(input)
  const found = envelopeDomain(envelope)
  if (found.kind !== 'domain' || !found.domain.includes('.')) throw notAMailbox(input)
  const address = addressText(envelope)
  const user = address.slice(0, address.lastIndexOf('@'))
  if (!PLAIN.test(user)) {
    throw new InputError(
      `${JSON.stringify(input)} has something before the @ that not every mail server takes: give an address of plain letters and digits`,
    )
  }
  return { address: `${user}@${found.domain}`, domain: found.domain }
}

/** The null sender is no mailbox, so what {@link parseEnvelope} advises is no help. */
function envelopeIn(input: string): ReturnType<typeof parseEnvelope> {
  try {
    return parseEnvelope(input.trim())
  } catch (error) {
    throw error instanceof InputError ? notAMailbox(input) : error
  }
}

function notAMailbox(input: string): InputError {
  return new InputError(`${JSON.stringify(input)} is no mail address: write admin@contoso.com`)
}
