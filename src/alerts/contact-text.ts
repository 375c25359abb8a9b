import { clean } from '../base/safe-text'
import { formatWindow } from '../mail/limits'
import { METERS, namedMeter, USUAL_METER, type NamedMeter } from '../mail/meters'
import type { Alert } from '../records/event'
import { fillTemplate, type ContactMail, type Values } from './contact-template'
import type { ContactTemplates } from './contact-templates'
import { subjectOf, type MailText } from './mail-text'

/** What a mail is, and what it says besides what all mails say. */
interface Content {
  readonly mail: ContactMail
  /** Absent: the usual one. */
  readonly meter?: NamedMeter | undefined
  readonly values: Values
  /** Advice on a takeover is out of place. */
  readonly harmless?: boolean
}

/**
 * The mail to the tenant itself; `undefined`: it gets none. It contains what the tenant has sent and no text of an
 * operator, which may be about other tenants.
 *
 * @param name of the tenant.   @param answerTo address of the operators.
 */
export function contactText(
  alert: Alert,
  name: string,
  answerTo: string,
  templates: ContactTemplates,
): MailText | undefined {
  // The tenant already has mail about the alert that this event joined, unless that is about many tenants.
  if (alert.alert !== alert.id && alert.contact === undefined) return undefined
  const content = contentOf(alert)
  if (!content) return undefined
  const { mail, meter, values, harmless } = content
  const common = {
    ...{ tenant: clean(name), write_to: clean(answerTo), time: clean(alert.at) },
    case: textOf(alert.facts['case']),
    ...values,
  }
  const part = (of: 'takeover' | 'signature'): string =>
    fillTemplate(templates.get(of), common).lines.join('\n')
  const { subject, lines } = fillTemplate(templates.get(mail, meter), {
    ...common,
    signature: part('signature'),
    takeover: harmless ? '' : part('takeover'),
  })
  return {
    subject: subjectOf(subject),
    lines: lines.map(clean),
    urgent: alert.kind === 'restricted',
  }
}

function contentOf({ kind, facts }: Alert): Content | undefined {
  switch (kind) {
    case 'restricted':
      return restrictedContent(facts)
    case 'lifted':
      return { mail: 'lifted', values: {} }
    case 'allowance':
      return allowanceContent(facts)
    case 'unusual':
      return { mail: 'unusual', values: { what: clean(unusualWords(facts)) } }
    case 'unattributed':
    case 'resolved':
    case 'unreadable':
    case 'went_back':
    case 'many_restricted':
    case 'redis_trouble':
    case 'host_missing':
    case 'paused':
    case 'test':
      return undefined
  }
}

type Facts = Readonly<Record<string, unknown>>

function restrictedContent(facts: Facts): Content {
  if (facts['scope'] === 'all') return { mail: 'restricted-all', values: {} }
  const trigger = isFacts(facts['trigger']) ? facts['trigger'] : {}
  const meter = namedMeter(trigger['meter'])
  const what = METERS[meter ?? USUAL_METER].words.contact.restricted
  return { mail: 'restricted', meter, values: { what, ...countedOf(trigger) } }
}

function allowanceContent(facts: Facts): Content {
  const meter = namedMeter(facts['meter'])
  const { allowance, contact } = METERS[meter ?? USUAL_METER].words
  const counted = countedOf(facts)
  const within = counted.window === '' ? '' : ` within ${counted.window}`
  const used = contact.used(`${counted.recipients} of ${counted.limit} recipients${within}`)
  return {
    ...{ mail: 'allowance', meter, harmless: !contact.takeover },
    values: {
      ...counted,
      percent: textOf(facts['percent']),
      what: allowance,
      used: used.join('\n'),
      advice: contact.advice.join('\n'),
    },
  }
}

/** What was counted, and the last message that was; empty where it is not known. */
function countedOf(
  facts: Facts,
): Record<'recipients' | 'limit' | 'window' | 'domain' | 'connector' | 'address', string> {
  const { window } = facts
  return {
    recipients: textOf(facts['used']),
    limit: textOf(facts['limit']),
    window: typeof window === 'number' ? formatWindow(window) : '',
    domain: textOf(facts['domain']),
    connector: textOf(facts['connector']),
    address: textOf(facts['ip']),
  }
}

/** Names the domain of foreign mail, but does not say that another tenant owns it. */
function unusualWords(facts: Facts): string {
  if (facts['rule'] !== 'foreign') return String(facts['words'])
  const seen = isFacts(facts['facts']) ? facts['facts'] : {}
  const domain = typeof seen['domain'] === 'string' ? `, such as ${seen['domain']}` : ''
  return `mail to ${String(seen['recipients'])} recipients in 24 hours from domains that are not yours${domain}`
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? clean(String(value)) : ''
}

function isFacts(value: unknown): value is Facts {
  return typeof value === 'object' && value !== null
}
