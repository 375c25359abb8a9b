import { InputError } from '../base/errors'
import { namedSections, site, type Contradiction } from '../config/section'
import { list, oneOf, orEmpty, orNone } from '../config/values'
import { EVENT_KINDS, SEVERITIES, type Event, type Severity } from '../records/event'
import { FORMAT_NAMES, FORMATS, type FormatName } from './formats'
import {
  isExposed,
  isOwnHost,
  mailAddresses,
  MAKE_SECRET,
  webhookPlace,
  webhookSecret,
  webhookSecretIn,
  webhookUrl,
  type Advice,
  type AlertSettings,
} from './settings'

/** The channels of `[alerts]`, whose consumer groups have these names. */
export const USUAL_CHANNELS: readonly string[] = ['webhook', 'mail', 'contact']

/** Settings of a channel. */
export interface ChannelSettings {
  /** Empty: it is one of mail. */
  readonly url: string
  /** Addresses; empty: it is one with a URL. */
  readonly mail: readonly string[]
  /** Of what is posted to the URL. */
  readonly format: FormatName
  /** As that of the webhook; of the standard format only. */
  readonly secret: string | undefined
  /** `undefined`: by its format; see `wanted.ts`. */
  readonly minSeverity: Severity | undefined
  /** Empty: all. */
  readonly kinds: readonly Event['kind'][]
}

/** By their NAMEs. */
export type AlertChannels = ReadonlyMap<string, ChannelSettings>

/** The sections `[alert NAME]`: further channels, each with a consumer group of its own by its NAME. */
export const ALERT_CHANNELS = namedSections<ChannelSettings>(
  'alert',
  USUAL_CHANNELS,
  {
    url: site(orEmpty(webhookUrl), '', { secret: 'value', inFile: webhookUrlIn }),
    mail: site(mailAddresses, ''),
    format: site(oneOf(FORMAT_NAMES), 'standard'),
    secret: site(orNone(webhookSecret), '', { secret: 'value', inFile: webhookSecretIn }),
    minSeverity: site(orNone(severity), ''),
    kinds: site(eventKinds, ''),
  },
  { contradictions },
)

function webhookUrlIn(file: string, content: string): string {
  const url = content.trim()
  if (url === '') throw new InputError(`${file} is empty: put the URL there`)
  return webhookUrl(url)
}

function severity(given: string): Severity {
  const names = SEVERITIES.map((each) => each.toLowerCase())
  return SEVERITIES[names.indexOf(oneOf(names)(given.toLowerCase()))]!
}

function eventKinds(value: unknown): Event['kind'][] {
  return list(value).map(oneOf(EVENT_KINDS))
}

function* contradictions(settings: ChannelSettings): Generator<Contradiction> {
  const { url, mail, format, secret } = settings
  const place = ['url', 'url_file']
  if (url === '' && mail.length === 0) {
    yield { keys: [...place, 'mail'], message: 'url: empty, as mail is: alerts have nowhere to go' }
  }
  if (url === '') return
  if (mail.length > 0) {
    yield { keys: ['mail', ...place], message: 'mail: there is a url, too: write two sections' }
  }
  const mistake = FORMATS[format].load().mistake?.(new URL(url))
  if (mistake !== undefined) yield { keys: [...place, 'format'], message: `url: ${mistake}` }
  if (format === 'standard' && secret === undefined && !isOwnHost(url)) {
    const why = 'empty, and the receiver could not tell alerts from forged ones'
    const keys = ['secret', 'secret_file', ...place, 'format']
    yield { keys, message: `secret: ${why}: ${MAKE_SECRET}` }
  }
}

/** All that says where alerts go. */
export interface AlertConfig {
  readonly alerts: AlertSettings
  readonly alertChannels: AlertChannels
}

/** The channels that alerts are to be delivered to, by the names of their consumer groups. */
export function channelsOn({ alerts, alertChannels }: AlertConfig): string[] {
  return [
    ...(alerts.webhook === '' ? [] : ['webhook']),
    ...(alerts.mailTo.length === 0 ? [] : ['mail', 'contact']),
    ...[...alertChannels].filter(([, settings]) => isOn(settings)).map(([name]) => name),
  ]
}

/** Where a mistake in its section has left a channel nowhere to go, it is off. */
export function isOn({ url, mail }: ChannelSettings): boolean {
  return url !== '' || mail.length > 0
}

/** What a channel is and where it leads, without what may be secret. */
export function placeOf({ url, mail, format }: ChannelSettings): string {
  if (url === '') return `mail to ${mail.join(', ')}`
  return FORMATS[format].secretUrl ? format : `webhook to ${webhookPlace(url)}`
}

/** Settings that work but are unsafe or useless. */
export function channelWarnings(channels: AlertChannels): Advice[] {
  return [...channels].flatMap(([name, { url, format, secret }]) => {
    const warnings: Advice[] = []
    if (url !== '' && isExposed(url)) {
      warnings.push({
        message: `[alert ${name}] url begins with http:// and leads to another host: anybody on the network path can read the alerts`,
        advice: 'use https://',
      })
    }
    if (secret !== undefined && (url === '' || format !== 'standard')) {
      warnings.push({
        message: `[alert ${name}] secret is set, but only format=standard signs what it posts`,
        advice: 'take the secret out',
      })
    }
    return warnings
  })
}
