import type { Alert } from '../records/event'
import { DELIVERED, SKIPPED, type Channel, type Outcome } from './channel'
import { compose } from './compose'
import { contactText } from './contact-text'
import { operatorText, type MailText } from './mail-text'
import type { AlertSettings } from './settings'

/**
 * Puts a message into a queue from which it is delivered whatever happens, with the null sender as its envelope sender.
 * Rejects where it could not.
 */
export type SendMail = (to: readonly string[], message: string) => Promise<void>

/** What all mail of alerts has in common. */
export interface MailWay {
  readonly settings: () => AlertSettings
  /** Haraka's own name. */
  readonly host: string
  readonly send: SendMail
}

/** Whom a tenant wants to be told. */
export interface Contact {
  /** What people call the tenant. */
  readonly name: string
  readonly address: string
}

/** Mails alerts to the operators. */
export class MailChannel implements Channel {
  readonly name = 'mail'

  constructor(private readonly way: MailWay) {}

  destination(): string {
    return this.way.settings().mailTo.join()
  }

  async deliver(alert: Alert): Promise<Outcome> {
    const { mailTo } = this.way.settings()
    return send(this.way, alert, mailTo, operatorText(alert), alert.id, threadOf(alert))
  }
}

/**
 * Mails alerts to the tenants themselves. A channel of its own, since one of the two messages may be queued and the
 * other not.
 */
export class ContactChannel implements Channel {
  readonly name = 'contact'

  /** @param contactOf a tenant; `undefined`: it has none. */
  constructor(
    private readonly way: MailWay,
    private readonly contactOf: (tenant: string) => Promise<Contact | undefined>,
  ) {}

  destination(): string {
    return this.way.settings().mailTo.join()
  }

  async deliver(alert: Alert): Promise<Outcome> {
    if (alert.tenant === '') return SKIPPED
    const contact = await this.contactOf(alert.tenant)
    if (!contact) return SKIPPED
    const text = contactText(alert, contact.name, sender(this.way))
    if (!text) return SKIPPED
    return send(this.way, alert, [contact.address], text, `${alert.id}.contact`, [])
  }
}

/** The same message each time, so that a mail program knows it again. */
async function send(
  way: MailWay,
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

function sender({ settings, host }: MailWay): string {
  return settings().mailFrom || `postmaster@${host}`
}

/** Earlier messages that it belongs to. */
function threadOf({ id, alert, resolves }: Alert): string[] {
  return [...(alert === id ? [] : [alert]), ...(resolves ? [resolves] : [])]
}

function dateOf({ at }: Alert): Date {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? new Date() : date
}
