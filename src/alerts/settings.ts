import { InputError } from '../base/errors'
import { section, site, type SettingsOf } from '../config/section'
import { list, orEmpty, orNone, text } from '../config/values'
import { parseMailbox } from '../names/mailbox'

/** A problem and its remedy. */
export interface Advice {
  readonly message: string
  readonly advice: string
}

/** Of a symmetric secret; base64 follows. */
export const SECRET_PREFIX = 'whsec_'
/** Octets of a symmetric secret (Standard Webhooks 1.0.0, "Signature scheme": 192 to 512 bits). */
const LEAST_SECRET = 24
const MOST_SECRET = 64
const MAKE_ONE = `make one with: echo "${SECRET_PREFIX}$(openssl rand -base64 32)"`

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
      const message = `webhook_secret: empty, but webhook is set, and the receiver could not tell alerts from forged ones: ${MAKE_ONE}`
      yield { keys, message }
    },
  },
)
export type AlertSettings = SettingsOf<typeof ALERTS>

/** Error messages do not repeat the URL: its path may be secret. */
function webhookUrl(given: string): string {
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
function isExposed(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

/** Error messages do not repeat the secret. */
function webhookSecret(secret: string): string {
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : undefined
  const octets = Buffer.from(encoded ?? '', 'base64')
  if (encoded === undefined || octets.toString('base64') !== encoded) {
    throw new InputError(`is not ${SECRET_PREFIX} and base64 behind it: ${MAKE_ONE}`)
  }
  if (octets.length < LEAST_SECRET || octets.length > MOST_SECRET) {
    throw new InputError(
      `encodes ${octets.length} octets, and ${LEAST_SECRET} to ${MOST_SECRET} are wanted: ${MAKE_ONE}`,
    )
  }
  return secret
}

function webhookSecretIn(file: string, content: string): string {
  const secret = content.trim()
  if (secret === '') throw new InputError(`${file} is empty: put the secret there`)
  return webhookSecret(secret)
}

function mailAddresses(value: unknown): string[] {
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
