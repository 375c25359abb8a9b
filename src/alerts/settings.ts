import { InputError } from '../base/errors'
import { section, site, type SettingsOf } from '../config/section'
import { list, orEmpty, orNone, text } from '../config/values'
import { parseMailbox } from '../names/mailbox'
import { SECRET_PREFIX } from './formats/standard'

/** A problem and its remedy. */
export interface Advice {
  readonly message: string
  readonly advice: string
}

/** Octets of a symmetric secret (Standard Webhooks 1.0.0, "Signature scheme": 192 to 512 bits). */
const LEAST_SECRET = 24
const MOST_SECRET = 64
export const MAKE_SECRET = `make one with: echo "${SECRET_PREFIX}$(openssl rand -base64 32)"`

export const ALERTS = section(
  'alerts',
  {
    /** URL; empty: none. */
    webhook: site(orEmpty(webhookUrl), '', { secret: 'hidden' }),
    /** `whsec_…` of the Standard Webhooks specification. Never empty with a webhook. */
    webhookSecret: site(orNone(webhookSecret), '', { secret: 'value', inFile: webhookSecretIn }),
    /** Addresses; empty: no mail. */
    mailTo: site(mailAddresses, ''),
    /** Empty: postmaster at Haraka's own name. */
    mailFrom: site(orEmpty(mailAddress), ''),
    /** Directory with texts to contacts, relative to the config directory; empty: the shipped ones. */
    contactTemplates: site(text, ''),
  },
  {
    *contradictions({ webhook, webhookSecret }) {
      if (webhook === '' || webhookSecret !== undefined) return
      const keys = ['webhook', 'webhook_secret', 'webhook_secret_file']
      const message = `webhook_secret: empty, but webhook is set, and the receiver could not tell alerts from forged ones: ${MAKE_SECRET}`
      yield { keys, message }
    },
  },
)
export type AlertSettings = SettingsOf<typeof ALERTS>

/** Error messages do not repeat the URL: its path may be secret. */
export function webhookUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
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

/** Origin of a webhook, without the parts that may be secret. */
export function webhookPlace(url: string): string {
  return new URL(url).origin
}

/** Whether the network path can read the alerts. */
export function isExposed(url: string): boolean {
  return new URL(url).protocol === 'http:' && !isOwnHost(url)
}

/** Whether what is posted there stays on this host. */
export function isOwnHost(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}

/** Error messages do not repeat the secret. */
export function webhookSecret(secret: string): string {
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : undefined
  const octets = Buffer.from(encoded ?? '', 'base64')
  if (encoded === undefined || octets.toString('base64') !== encoded) {
    throw new InputError(`is not ${SECRET_PREFIX} and base64 behind it: ${MAKE_SECRET}`)
  }
  if (octets.length < LEAST_SECRET || octets.length > MOST_SECRET) {
    throw new InputError(
      `encodes ${octets.length} octets, and ${LEAST_SECRET} to ${MOST_SECRET} are wanted: ${MAKE_SECRET}`,
    )
  }
  return secret
}

export function webhookSecretIn(file: string, content: string): string {
  const secret = content.trim()
  if (secret === '') throw new InputError(`${file} is empty: put the secret there`)
  return webhookSecret(secret)
}

export function mailAddresses(value: unknown): string[] {
  const parts = list(value).filter((part) => part !== '')
  return [...new Set(parts.map(mailAddress))]
}

function mailAddress(given: string): string {
  return parseMailbox(given).address
}

/** Settings that work but are unsafe or useless. */
export function alertWarnings({
  webhook,
  webhookSecret,
  mailTo,
  mailFrom,
}: AlertSettings): Advice[] {
  const warnings: Advice[] = []
  if (webhook !== '' && isExposed(webhook)) {
    warnings.push({
      message: `[alerts] webhook leads to ${webhookPlace(webhook)}: anybody on the network path can read the alerts`,
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
