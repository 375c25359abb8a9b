import { formatWindow } from '../mail/limits'
import { METERS, namedMeter, USUAL_METER, type MeterRow } from '../mail/meters'
import type { Alert } from '../records/event'
import { clean } from '../base/safe-text'
import { aligned, subjectOf, type MailText } from './mail-text'

const NOT_OURS = [
  'If you do not know where this mail comes from, one of your servers or accounts has probably been',
  'taken over:',
  '  - look for servers, connectors and forwarding rules that none of you has set up;',
  '  - change the passwords of the accounts that send through the relay, and end their sessions;',
  '  - check that your servers relay for nobody else, and are up to date.',
]

/**
 * The mail to the tenant itself; `undefined`: it gets none. It contains what the tenant has sent and no text of an
 * operator, which may be about other tenants.
 *
 * @param name of the tenant.   @param answerTo address of the operators.
 */
export function contactText(alert: Alert, name: string, answerTo: string): MailText | undefined {
  // The tenant already has mail about the alert that this event joined, unless that is about many tenants.
  if (alert.alert !== alert.id && alert.contact === undefined) return undefined
  const parts = partsOf(alert, name)
  if (!parts) return undefined
  const [subject, what, advice] = parts
  const reference = typeof alert.facts['case'] === 'string' ? alert.facts['case'] : ''
  const about = reference === '' ? '' : `, and name case ${reference}`
  return {
    subject: subjectOf(subject),
    lines: [
      ...[`This is about mail of ${name} through our relay.`, '', ...what, ''],
      ...advice,
      ...(advice.length > 0 ? [''] : []),
      `Write to ${answerTo}${about}. Time of this event: ${alert.at}.`,
    ].map(clean),
    urgent: alert.kind === 'restricted',
  }
}

type TextParts = readonly [subject: string, what: readonly string[], advice: readonly string[]]

function partsOf({ kind, facts }: Alert, name: string): TextParts | undefined {
  switch (kind) {
    case 'restricted':
      return restrictedParts(facts, name)
    case 'lifted':
      return [
        `Mail of ${name} is accepted again`,
        [
          'Mail from domains that are not registered for you is accepted again, within your allowance.',
        ],
        [],
      ]
    case 'allowance':
      return allowanceParts(facts, name)
    case 'unusual':
      return [
        `Unusual mail of ${name}`,
        ['Your sending pattern has changed:', '', `  ${unusualWords(facts)}`],
        ['If you know why, you need not do anything.', '', ...NOT_OURS],
      ]
    case 'unattributed':
    case 'resolved':
    case 'unreadable':
    case 'went_back':
    case 'many_restricted':
    case 'test':
      return undefined
  }
}

function allowanceParts(facts: Alert['facts'], name: string): TextParts {
  const { allowance, contact } = wordsOf(facts)
  const recipients = `${String(facts['used'])} of ${String(facts['limit'])} recipients${windowOf(facts)}`
  return [
    `${name} has used ${String(facts['percent'])} % of its allowance${allowance}`,
    [...contact.used(recipients), ...senderOf(facts)],
    [...contact.advice, ...(contact.takeover ? ['', ...NOT_OURS] : [])],
  ]
}

/** Texts of the meter that the facts name. */
function wordsOf({ meter }: Alert['facts']): MeterRow['words'] {
  return METERS[namedMeter(meter) ?? USUAL_METER].words
}

/** Names the domain of foreign mail, but does not say that another tenant owns it. */
function unusualWords(facts: Alert['facts']): string {
  if (facts['rule'] !== 'foreign') return String(facts['words'])
  const seen = isFacts(facts['facts']) ? facts['facts'] : {}
  const domain = typeof seen['domain'] === 'string' ? `, such as ${seen['domain']}` : ''
  return `mail to ${String(seen['recipients'])} recipients in 24 hours from domains that are not yours${domain}`
}

function restrictedParts(facts: Alert['facts'], name: string): TextParts {
  const all = facts['scope'] === 'all'
  const { trigger } = facts
  const seen = isFacts(trigger) ? trigger : {}
  const such = wordsOf(seen).contact.restricted
  return [
    all ? `Mail of ${name} is refused` : `Mail of ${name} from unregistered domains is refused`,
    all
      ? ['All mail that you send through our relay is refused for now.']
      : [
          'Mail from domains that are not registered for you is refused for now. Mail from your registered',
          'domains is accepted.',
          ...(isFacts(trigger)
            ? ['', `You had sent to ${String(seen['used'])} recipients${windowOf(seen)} ${such}.`]
            : []),
          ...senderOf(seen),
        ],
    [
      ...NOT_OURS,
      '',
      'If all of it is yours, tell us which domains you send from, and we register them.',
      'A person lifts this restriction: tell us what you have found and done.',
    ],
  ]
}

/** Names the last message that was counted. */
function senderOf(facts: Readonly<Record<string, unknown>>): string[] {
  const lines: [string, string][] = []
  for (const [field, label] of [
    ['domain', 'sender domain'],
    ['connector', 'connector'],
    ['ip', 'from address'],
  ] as const) {
    const value = facts[field]
    if (typeof value === 'string' && value !== '') lines.push([label, value])
  }
  return lines.length === 0 ? [] : ['', 'The last message:', ...aligned(lines)]
}

function windowOf({ window }: Readonly<Record<string, unknown>>): string {
  return typeof window === 'number' ? ` within ${formatWindow(window)}` : ''
}

function isFacts(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
