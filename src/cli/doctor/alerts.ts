import { readBacklogs } from '../../alerts/backlog'
import { siteTexts, templateMistakes } from '../../alerts/contact-templates'
import { HeldContacts } from '../../alerts/held-contacts'
import { NO_MAIL, ownContactWarning } from '../../alerts/contact'
import {
  channelsOn,
  channelWarnings,
  isOn,
  placeOf,
  type AlertConfig,
  type ChannelSettings,
} from '../../alerts/channel-settings'
import { Snoozes } from '../../alerts/snoozes'
import { alertWarnings, webhookPlace, type AlertSettings } from '../../alerts/settings'
import { leastSeverity } from '../../alerts/wanted'
import { MANY, MANY_SPAN } from '../../events/many'
import type { Config } from '../../process/config'
import type { Store } from '../../store/store'
import { serverTime } from '../../store/server-clock'
import { TenantRegistry } from '../../registry/tenant-registry'
import { SEVERITIES } from '../../records/event'
import { shortTime } from '../../base/time'
import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { fail, ok, warn, type Line } from './line'

/** An alert that has waited longer than this has failed at least once, in ms. */
const LATE = 60_000

/** Reports where alerts go. Mistakes in the keys are reported with the configuration. */
export function checkAlerts({ alerts, alertChannels }: AlertConfig): Line[] {
  const { webhook, mailTo, mailFrom } = alerts
  const ways = [
    ...(webhook === '' ? [] : [`posted to ${webhookPlace(webhook)}, signed`]),
    ...(mailTo.length === 0
      ? []
      : [`mailed to ${mailTo.join(', ')}${mailFrom === '' ? '' : ` from ${mailFrom}`}`]),
  ]
  const tries = `${tenantctl('alert', 'test')} tries it`
  const named = [...alertChannels].filter(([, settings]) => isOn(settings))
  const usual =
    ways.length > 0
      ? [`alerts are ${ways.join(', and ')}; ${tries}`]
      : named.length > 0
        ? []
        : ['no webhook and no mail_to: alerts appear in tenantctl events only']
  return [
    ...[...alertWarnings(alerts), ...channelWarnings(alertChannels)].map(({ message, advice }) =>
      warn('alerts', message, advice),
    ),
    ...[...usual, ...named.map(([name, settings]) => `${name}: ${told(settings)}; ${tries}`)].map(
      (message) => ok('alerts', message),
    ),
  ]
}

/** Where a channel leads, and what it is told. */
function told(settings: ChannelSettings): string {
  const least = leastSeverity(settings)
  return [
    placeOf(settings),
    ...(least === SEVERITIES[0] ? [] : [`from ${least}`]),
    ...(settings.kinds.length === 0 ? [] : [`only ${settings.kinds.join(', ')}`]),
  ].join('; ')
}

/** Whether the texts of the site to contacts can be mailed. */
export function checkContactTexts(
  config: Pick<Config, 'alerts' | 'owner'>,
  configDirectory: string | undefined,
): Line[] {
  if (configDirectory === undefined || config.alerts.contactTemplates === '') return []
  const mistakes = templateMistakes(siteTexts(config, configDirectory))
  const advice = 'correct it; until then the shipped text is mailed in its place'
  if (mistakes.length > 0) return mistakes.map((mistake) => fail('contact-texts', mistake, advice))
  return [ok('contact-texts', `contacts get the texts in ${config.alerts.contactTemplates}`)]
}

/** Whether alerts arrive. */
export async function checkAlertQueues(store: Store, config: AlertConfig): Promise<Line[]> {
  const on = channelsOn(config)
  if (on.length === 0) return []
  const backlogs = await readBacklogs(store)
  const now = await serverTime(store.client)
  const lines = on.map((channel) => {
    const backlog = backlogs.find((each) => each.channel === channel)
    if (!backlog) {
      return warn(
        'alert-queue',
        `no Haraka has begun to deliver alerts by ${channel}`,
        'start Haraka with this configuration; what was published before is not delivered',
      )
    }
    const { waiting, more, since } = backlog
    if (since === undefined || now - since < LATE + (channel === 'contact' ? MANY_SPAN : 0)) {
      return ok('alert-queue', `no alert waits long for ${channel}`)
    }
    return warn(
      'alert-queue',
      `${more ? 'more than ' : ''}${count(waiting, 'alert')} for ${channel}, the oldest of ${shortTime(since)}, not delivered yet`,
      'see the log of Haraka for why ("was not delivered"); they are tried again for 24 h',
    )
  })
  return on.includes('contact') ? [...lines, ...(await checkHeldContacts(store))] : lines
}

/** Whether contacts wait for a person. */
async function checkHeldContacts(store: Store): Promise<Line[]> {
  const { length } = await new HeldContacts(store).list()
  if (length === 0) return []
  const message = `${count(length, 'contact')} not mailed that their tenants are restricted: more than ${MANY} were within 5 minutes`
  return [warn('held-contacts', message, `${tenantctl('alert', 'contacts')}, then send or drop`)]
}

/** Whether alerts are snoozed. */
export async function checkSnoozed(store: Store): Promise<Line[]> {
  const tenants = new Set((await new Snoozes(store).list()).map(({ tenant }) => tenant))
  if (tenants.size === 0) return []
  const list = tenantctl('alert', 'snooze', '--list')
  return [ok('snoozed', `alerts about ${count(tenants.size, 'tenant')} are snoozed: ${list}`)]
}

/** Finds contacts that mail may not reach, or that an intruder may read. */
export async function checkContacts(store: Store, { mailTo }: AlertSettings): Promise<Line[]> {
  const lines: Line[] = []
  let contacts = 0
  for await (const batch of new TenantRegistry(store).having('contact')) {
    contacts += batch.length
    for (const { id, value: contact } of batch) {
      const warning = await ownContactWarning(store, id, contact)
      if (!warning) continue
      lines.push(
        warn('contact', warning.message, warning.advice, {
          subject: `${contact} of ${id}`,
          problem: 'contacts are in a domain of their own tenant, whose mail an intruder can read',
        }),
      )
    }
  }
  if (contacts === 0) return []
  if (mailTo.length === 0) lines.push(warn('contact', NO_MAIL.message, NO_MAIL.advice))
  if (lines.length > 0) return lines
  return [ok('contact', `no contact of ${count(contacts, 'tenant')} is in a domain of its own`)]
}
