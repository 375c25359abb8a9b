import { InputError } from '../base/errors'
import { parseMailbox } from '../names/mailbox'

/** `[alerts]` of the ini file. */
export interface AlertSettings {
  /** URL; empty: none. */
  readonly webhook: string
  /** `whsec_…`, as the Standard Webhooks specification has it; there where `webhook` is. */
  readonly webhookSecret: string | undefined
  /** Addresses; empty: no mail. */
  readonly mailTo: readonly string[]
  /** Empty: postmaster at Haraka's own name. */
  readonly mailFrom: string
}

/** What is not as it should be, and what to do. */
export interface Advice {
  readonly message: string
  readonly advice: string
}

const SECRET_PREFIX = 'whsec_'
/** Octets of a symmetric secret (Standard Webhooks 1.0.0, "Signature scheme": 192 to 512 bits). */
const LEAST_SECRET = 24
const MOST_SECRET = 64
const MAKE_ONE = `make one with: echo "${SECRET_PREFIX}$(openssl rand -base64 32)"`

/** An empty text is none. @throws {InputError} never with more of the URL than where it leads: its path may be secret. */
export function webhookUrl(text: string): string {
  if (text === '') return ''
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !['https:', 'http:'].includes(url.protocol) || url.hostname === '') {
    throw new InputError('is no URL: write https://HOST/PATH')
  }
  if (url.username !== '' || url.password !== '') {
    throw new InputError(
      'holds a user name or password: leave them out, the signature proves where an alert comes from',
    )
  }
  return url.href
}

/** Where a webhook leads, without what may be secret. */
export function webhookPlace(url: string): string {
  return new URL(url).origin
}

/** Whether alerts could be read on the way to it. */
function isExposed(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

/** An empty text is none. @throws {InputError} without the secret. */
export function webhookSecret(text: string): string | undefined {
  if (text === '') return undefined
  const encoded = text.startsWith(SECRET_PREFIX) ? text.slice(SECRET_PREFIX.length) : undefined
  const octets = Buffer.from(encoded ?? '', 'base64')
  if (encoded === undefined || octets.toString('base64') !== encoded) {
    throw new InputError(`is not ${SECRET_PREFIX} and base64 behind it: ${MAKE_ONE}`)
  }
  if (octets.length < LEAST_SECRET || octets.length > MOST_SECRET) {
    throw new InputError(
      `encodes ${octets.length} octets, and ${LEAST_SECRET} to ${MOST_SECRET} are wanted: ${MAKE_ONE}`,
    )
  }
  return text
}

/** Addresses with commas between. @throws {InputError} */
export function mailAddresses(text: string): string[] {
  const parts = text.split(',').map((part) => part.trim())
  const addresses = parts.filter((part) => part !== '').map((part) => parseMailbox(part).address)
  return [...new Set(addresses)]
}

/** One address, or an empty text. @throws {InputError} */
export function mailAddress(text: string): string {
  return text === '' ? '' : parseMailbox(text).address
}

/** What is set and does not fit together, with its key. */
export function alertContradictions({ webhook, webhookSecret }: AlertSettings): string[] {
  if (webhook === '' || webhookSecret !== undefined) return []
  return [
    `webhook_secret: empty, but webhook is set, and nobody could tell our alerts from forged ones: ${MAKE_ONE}`,
  ]
}

/** What works, and could be safer or is of no use. */
export function alertWarnings({
  webhook,
  webhookSecret,
  mailTo,
  mailFrom,
}: AlertSettings): Advice[] {
  const warnings: Advice[] = []
  if (webhook !== '' && isExposed(webhook)) {
    warnings.push({
      message: `[alerts] webhook leads to ${webhookPlace(webhook)}: anybody on the way can read the alerts`,
      advice: 'use https://',
    })
  }
  if (webhook === '' && webhookSecret !== undefined) {
    warnings.push({
      message: '[alerts] webhook_secret is set, but webhook is not: nothing is posted',
      advice: 'set webhook, or take the secret out',
    })
  }
  if (mailTo.length === 0 && mailFrom !== '') {
    warnings.push({
      message: '[alerts] mail_from is set, but mail_to is not: nothing is mailed',
      advice: 'set mail_to',
    })
  }
  return warnings
}
