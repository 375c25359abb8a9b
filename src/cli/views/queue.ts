import type { Queued } from '../../operations/queue'
import { notedClass } from '../../mail/classes'
import { isoTime } from '../../base/time'
import { count } from '../../base/count'
import { brief, duration, type Cell, type Output } from '../kit/output'

/** Mail in the queue as `--json` prints it. */
export function queuedView(mail: Queued): object {
  const { file, connector, sender, recipients, size, arrived, failures, held } = mail
  return {
    ...{ file, class: notedClass(mail.class), connector, sender, recipients, size },
    ...{ arrived: isoTime(arrived), next_attempt: isoTime(mail.nextAttempt), failures, held },
  }
}

/** The time of the next delivery attempt, for people. */
export function nextAttempt({ nextAttempt: at }: Queued): string {
  const wait = at - Date.now()
  return wait > 0 ? `in ${duration(wait)}` : 'now'
}

/** A table for people with the amount of each class, or `empty` where the queue has no such mail. */
export function printQueue(out: Output, mail: readonly Queued[], empty: string): void {
  out.table(['CLASS', 'AGE', 'NEXT', 'SENDER', 'RECIPIENTS', 'SIZE', 'FILE'], mail.map(row), empty)
  if (mail.length === 0) return
  const classes = new Map<string, number>()
  for (const each of mail) {
    classes.set(each.class, (classes.get(each.class) ?? 0) + 1)
  }
  const parts = [...classes].map(([name, number]) => `${number.toLocaleString('en-US')} ${name}`)
  out.line()
  out.line(`${count(mail.length, 'message')}: ${parts.join(', ')}`)
}

function row(mail: Queued): Cell[] {
  const [first = '', ...others] = mail.recipients
  return [
    mail.class,
    { text: duration(Math.max(0, Date.now() - mail.arrived)), right: true },
    mail.held ? { text: 'held', tone: 'warn' } : nextAttempt(mail),
    mail.sender === '' ? '<>' : brief(mail.sender),
    others.length === 0 ? brief(first) : `${brief(first)} and ${others.length} more`,
    { text: octets(mail.size), right: true },
    mail.file,
  ]
}

function octets(size: number): string {
  if (size < 1024) return `${size} B`
  const kilo = size / 1024
  return kilo < 1024 ? `${Math.ceil(kilo)} KB` : `${(kilo / 1024).toFixed(1)} MB`
}
