import type { Alert } from '../records/event'
import { DELIVERED, SKIPPED, type Channel, type Outcome } from './channel'
import { compose } from './compose'
import type { ContactTemplates } from './contact-templates'
import { contactText } from './contact-text'
import { operatorText, type MailText } from './mail-text'
import type { AlertSettings } from './settings'
import { settingsMark, unlessTested } from './test-alert'

/** Puts a message into a durable queue, with the null sender. Rejects if it could not. */
export type SendMail = (to: readonly string[], message: string) => Promise<void>

/** What all mail channels share. */
export interface MailTransport {
  readonly settings: () => AlertSettings
  /** Haraka's own name. */
  readonly host: string
  readonly send: SendMail
  /** Texts to contacts. */
  readonly templates: ContactTemplates
}

/** The contact of a tenant. */
export interface Contact {
  /** Display name of the tenant. */
  readonly name: string
  readonly address: string
}

/** Mails alerts to the operators. */
export class MailChannel implements Channel {
  readonly name = 'mail'

  constructor(private readonly way: MailTransport) {}

  destination(): string {
    return this.way.settings().mailTo.join()
  }

  async deliver(alert: Alert): Promise<Outcome> {
    const settings = this.way.settings()
    return (
      unlessTested(alert, this.name, settingsMark(settings)) ??
      mailToOperators(this.way, alert, settings.mailTo)
    )
  }
}

/** @param channel ends the Message-IDs: a mail program would take the mail of another channel for the same. */
export function mailToOperators(
  way: MailTransport,
  alert: Alert,
  to: readonly string[],
  channel?: string,
): Promise<Outcome> {
  const idOf = (event: string): string => (channel === undefined ? event : `${event}.${channel}`)
  const thread = threadOf(alert).map(idOf)
  return send(way, alert, to, operatorText(alert), idOf(alert.id), thread)
}

/** Mails alerts to the tenants themselves. A channel of its own: one of the two mails may fail without the other. */
export class ContactChannel implements Channel {
  readonly name = 'contact'

  /**
   * @param contactOf a tenant; gives `undefined` if it has none.
   * @param unlessMailed what happens to the mail instead of sending it; see {@link HeldContacts}.
   */
  constructor(
    private readonly way: MailTransport,
    private readonly contactOf: (tenant: string) => Promise<Contact | undefined>,
    private readonly unlessMailed: (alert: Alert) => Promise<Outcome | undefined>,
  ) {}

  /** One alert tells operators of many tenants; each of these has a contact of its own. */
  takesJoined({ contact }: Alert): boolean {
    return contact !== undefined
  }

  destination(): string {
    return this.way.settings().mailTo.join()
  }

  async deliver(alert: Alert): Promise<Outcome> {
    if (alert.tenant === '') return SKIPPED
    const contact = await this.contactOf(alert.tenant)
    if (!contact) return SKIPPED
    const text = contactText(alert, contact.name, sender(this.way), this.way.templates)
    if (!text) return SKIPPED
    const instead = await this.unlessMailed(alert)
    if (instead) return instead
    return send(this.way, alert, [contact.address], text, `${alert.id}.contact`, [])
  }
}

/** Sends the same message at each attempt, so that mail programs recognise a duplicate. */
async function send(
  way: MailTransport,
  alert: Alert,
  to: readonly string[],
  text: MailText,
  id: string,
  thread: readonly string[],
): Promise<Outcome> {
  const from = sender(way)
  const domain = from.slice(from.lastIndexOf('@') + 1)
  const message = await compose({
    ...text,
    ...{ from, to, date: dateOf(alert) },
    messageId: `${id}@${domain}`,
    references: thread.map((each) => `${each}@${domain}`),
  })
  await way.send(to, message)
  return DELIVERED
}

function sender({ settings, host }: MailTransport): string {
  return settings().mailFrom || `postmaster@${host}`
}

/** Earlier messages of the same thread. */
function threadOf({ id, alert, resolves, continues }: Alert): string[] {
  return [
    ...(alert === id ? [] : [alert]),
    ...[continues, resolves].flatMap((other) => (other ? [other] : [])),
  ]
}

function dateOf({ at }: Alert): Date {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? new Date() : date
}
