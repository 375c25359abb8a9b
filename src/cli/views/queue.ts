import { count } from '../../base/count'
import { isoTime } from '../../base/time'
import { CLASSES, notedClass, type MailClass } from '../../mail/classes'
import {
  PATIENCE,
  sumOf,
  type DroppedFromQueues,
  type HostDrop,
  type HostList,
  type MissingHosts,
  type QueueList,
  type SilentHost,
} from '../../operations/queue-orders'
import type { ListedMail, QueueHost } from '../../outbound/order'
import { brief, duration, type Cell, type Output } from '../kit/output'

/** Mail in the queues of hosts as `--json` prints it. */
export function queuedView(hosts: readonly HostList[]): object[] {
  return hosts.flatMap(({ host, mail }) => mail.map((each) => mailView(host, each)))
}

function mailView({ name, directory }: QueueHost, mail: ListedMail): object {
  const { file, connector, sender, recipients, recipientCount, size, arrived, failures } = mail
  return {
    ...{ host: name, queue: directory, file, class: notedClass(mail.class), connector, sender },
    ...{ recipients, recipient_count: recipientCount, size, arrived: isoTime(arrived) },
    ...{ next_attempt: isoTime(mail.nextAttempt), failures, held: mail.held },
    ...(mail.headers && { headers: mail.headers }),
  }
}

/** The name of each host; with its queue directory where two have the same name. */
export function namesOf(hosts: readonly QueueHost[]): (host: QueueHost) => string {
  return ({ name, directory }) =>
    hosts.filter((each) => each.name === name).length > 1 ? `${name}:${directory}` : name
}

/**
 * A table for people with the amount of each class, or `empty` where the queues have no such mail.
 *
 * @param toDrop of lists that name only what a drop removes.
 */
export function printQueue(
  out: Output,
  hosts: readonly HostList[],
  empty: string,
  toDrop = false,
): void {
  const nameOf = namesOf(hosts.map(({ host }) => host))
  const isOne = hosts.length === 1
  const head = ['CLASS', 'AGE', 'NEXT', 'SENDER', 'RECIPIENTS', 'SIZE', 'FILE']
  const rows = hosts.flatMap(({ host, mail }) =>
    mail.map((each) => (isOne ? row(each) : [nameOf(host), ...row(each)])),
  )
  out.table(isOne ? head : ['HOST', ...head], rows, empty)
  if (rows.length === 0) return
  out.line()
  for (const each of hosts) {
    out.line(`${isOne ? '' : `${nameOf(each.host)}: `}${summary(each, toDrop)}`)
  }
}

/** The header and the recipients of each message, for people. */
export function printHeaders(out: Output, hosts: readonly HostList[], empty: string): void {
  const nameOf = namesOf(hosts.map(({ host }) => host))
  const shown = hosts.flatMap(({ host, mail }) => mail.map((each) => ({ host, ...each })))
  if (shown.length === 0) out.line(empty)
  for (const [at, { host, ...mail }] of shown.entries()) {
    if (at > 0) out.line()
    const { recipients, recipientCount } = mail
    const more = recipientCount - recipients.length
    out.facts([
      ['file', `${mail.file} on ${nameOf(host)}`],
      ['class', `${mail.class}, ${mail.held ? 'held' : `next attempt ${nextAttempt(mail)}`}`],
      ['sender', senderOf(mail)],
      ['recipients', `${recipients.join(', ')}${more > 0 ? ` and ${more} more` : ''}`],
    ])
    for (const line of mail.headers ?? []) out.line(`  ${line}`)
  }
  const unshown = hosts.filter(({ mail, all }) => mail.length < all.messages)
  if (unshown.length > 0) out.line()
  for (const each of unshown) out.line(`${nameOf(each.host)}: ${summary(each)}`)
}

/** How much of it is held. */
export function heldText(hosts: readonly HostList[], tenant: string): string | undefined {
  const held = sumOf(hosts.map((each) => each.held)).messages
  if (held === 0) return undefined
  const all = sumOf(hosts.map((each) => each.all)).messages
  return `${count(held, 'message')} of ${all.toLocaleString('en-US')} held until the restriction of ${tenant} is lifted`
}

/** `1,200 messages: 1,100 unregistered, 100 foreign; the 1,000 oldest are shown`. */
function summary({ mail, all, droppable, classes }: HostList, toDrop = false): string {
  const { messages } = toDrop ? droppable : all
  const parts = Object.entries(classes)
    .filter(([name]) => !toDrop || CLASSES[name as MailClass]?.queue.droppable)
    .map(([name, number]) => `${number.toLocaleString('en-US')} ${name}`)
  const rest =
    mail.length < messages ? `; the ${mail.length.toLocaleString('en-US')} oldest are shown` : ''
  return `${count(messages, 'message')}${parts.length > 0 ? ': ' : ''}${parts.join(', ')}${rest}`
}

/** The result of a drop as `--json` prints it. @param done absent: nothing was removed. */
export function droppedView(list: QueueList, done?: DroppedFromQueues): object {
  const hosts = done?.hosts ?? []
  const silent = [...list.silent, ...list.failed, ...(done?.silent ?? []), ...(done?.failed ?? [])]
  return {
    host: list.hosts.map(({ host }) => host.name).join(', '),
    ...sumOf(hosts.map(({ dropped }) => dropped)),
    missed: hosts.reduce((sum, { missed }) => sum + missed, 0),
    hosts: hosts.map(({ host, dropped, missed, registered }) => ({
      ...{ host: host.name, queue: host.directory, ...dropped, missed, registered },
    })),
    silent: silent.map(({ host }) => host.name),
  }
}

/** The result of a drop, for people: lines for each host. */
export function droppedLines(tenant: string, done: readonly HostDrop[]): string[] {
  const nameOf = namesOf(done.map(({ host }) => host))
  return done.flatMap(({ host, dropped, missed }) => [
    `removed ${count(dropped.messages, 'message')} of ${tenant} for ${count(dropped.recipients, 'recipient')} from the queue of ${nameOf(host)}`,
    ...(missed > 0 ? [`${count(missed, 'message')} had left the queue before that`] : []),
  ])
}

/** What else a person must know of a drop. */
export function dropNotes(lists: readonly HostList[], done: readonly HostDrop[]): string[] {
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0)
  const registered = sum(done.map((each) => each.registered))
  const begun = sum(done.map((each) => each.begun))
  const left = sum(lists.map(({ droppable, toDrop }) => droppable.messages - toDrop.messages))
  return [
    ...(registered > 0
      ? [
          `not removed, since the domain has been registered meanwhile: ${count(registered, 'message')}`,
        ]
      : []),
    ...(begun > 0
      ? [
          `Haraka may have begun to deliver ${count(begun, 'message')}: mail is held only while the tenant is restricted, unless [restriction] queued=deliver`,
        ]
      : []),
    ...(left > 0 ? [`${count(left, 'message')} more than one drop removes: run it again`] : []),
  ]
}

/** Why hosts have no result: a line for each. @param later what the silent ones may still do. */
export function missingLines({ silent, failed }: MissingHosts, later = ''): string[] {
  const nameOf = namesOf([...silent, ...failed].map(({ host }) => host))
  return [
    ...silent.map((each) => `${nameOf(each.host)} ${silenceOf(each)}${later}`),
    ...failed.map(({ host, reason }) => `${nameOf(host)}: ${reason}`),
  ]
}

/** What silent hosts may still do after a drop was ordered. */
export const MAY_STILL = '; it may still do it within 15 minutes'

/** Why a host may be silent. */
export function silenceOf({ ago, hasBegun }: SilentHost): string {
  if (hasBegun) return 'has begun and not ended'
  const seen = ago === undefined ? '' : `last seen ${duration(ago)} ago: `
  return `did not answer within ${duration(PATIENCE)} (${seen}stopped, an older version, or cut off from Redis)`
}

function nextAttempt({ nextAttempt: at }: ListedMail): string {
  const wait = at - Date.now()
  return wait > 0 ? `in ${duration(wait)}` : 'now'
}

function senderOf({ sender }: ListedMail): string {
  return sender === '' ? '<>' : brief(sender)
}

function row(mail: ListedMail): Cell[] {
  const [first = ''] = mail.recipients
  const others = mail.recipientCount - 1
  return [
    mail.class,
    { text: duration(Math.max(0, Date.now() - mail.arrived)), right: true },
    mail.held ? { text: 'held', tone: 'warn' } : nextAttempt(mail),
    senderOf(mail),
    others <= 0 ? brief(first) : `${brief(first)} and ${others} more`,
    { text: octets(mail.size), right: true },
    mail.file,
  ]
}

function octets(size: number): string {
  if (size < 1024) return `${size} B`
  const kilo = size / 1024
  return kilo < 1024 ? `${Math.ceil(kilo)} KB` : `${(kilo / 1024).toFixed(1)} MB`
}
