import { count } from '../../base/count'
import { UserError } from '../../base/errors'
import { isoTime } from '../../base/time'
import { isConfirmed, type Confirmation, type Unconfirmed } from '../../nodes/confirm'
import { nodeName } from '../../nodes/node-name'
import { duration, type Output } from '../kit/output'

/** Processes that are named in a sentence. */
const MOST_NAMED = 5

/** The option by which a script learns that a process has not confirmed a change, for `.option()`. */
export const WAIT = [
  '--wait',
  'end with status 5 unless every process confirms within a second that it is in force',
] as const

/** Of {@link WAIT}, for the help of a command. */
export const NOT_CONFIRMED = { 5: 'with --wait: done, but not every process has confirmed it' }

/** For the help of a command. */
export const CONFIRMED_FIELDS = [
  'confirmed: {in_force, of, hosts, ms, missing, older, not_asked}: in force in so many of the processes that have',
  '  reported, of so many, on so many hosts, after so many ms; missing: array of {host, worker, pid, why, last_seen};',
  '  older: processes of a version that cannot confirm it; not_asked: why they were not asked, or null',
]

/** What a process does where a change is not in force. */
const ELSEWHERE = {
  block: 'Redis refuses each unregistered recipient at RCPT',
  blockAll: 'its registered mail still passes',
  unblock: 'its mail is still refused',
  blockConnector: 'it still relays',
  unblockConnector: 'all that it relays is still refused',
  pause: 'mail is refused as before',
  resume: 'enforcement is still paused',
} as const

/** Which change it is. */
export type ChangeMade = keyof typeof ELSEWHERE

/** As JSON, `confirmed` of a result. */
export function confirmationView(confirmation: Confirmation): object {
  const { inForce, of, hosts, ms, missing, older, notAsked } = confirmation
  return {
    ...{ in_force: inForce, of, hosts, ms: Math.round(ms) },
    missing: missing.map(({ node: { host, worker, pid, seen }, why }) => ({
      ...{ host, worker, pid, why: why || 'no answer', last_seen: isoTime(seen) },
    })),
    ...{ older, not_asked: notAsked || null },
  }
}

/** Says in how many processes a change is in force, and what the others do. */
export function printConfirmation(
  out: Output,
  confirmation: Confirmation,
  change: ChangeMade,
): void {
  const tone = isConfirmed(confirmation) ? undefined : 'warn'
  for (const line of confirmationLines(confirmation, change)) out.line(line, tone)
}

/** In how many processes a change is in force, and what the others do. */
export function confirmationLines(confirmation: Confirmation, change: ChangeMade): string[] {
  const isEverywhere = confirmation.missing.length + confirmation.older === 0
  return [
    confirmationText(confirmation),
    ...(isEverywhere ? [] : [`where it is not in force, ${ELSEWHERE[change]}`]),
  ]
}

/** `in force on 6 of 6 processes on 3 hosts, in 41 ms`, or what is missing. */
export function confirmationText(confirmation: Confirmation): string {
  const { inForce, of, hosts, ms, missing, older, notAsked } = confirmation
  if (notAsked) return `not confirmed: ${notAsked}`
  const known =
    of === 0
      ? 'no Haraka process has reported'
      : `in force on ${inForce} of ${count(of, 'process', 'processes')} on ${count(hosts, 'host')}`
  const soon = of > 0 && inForce === of ? `, in ${count(Math.round(ms), 'ms', 'ms')}` : ''
  const named = missing.slice(0, MOST_NAMED).map(unconfirmedText)
  const more = missing.length - named.length
  return [
    known + soon,
    ...named,
    ...(more > 0 ? [`${more} more: tenantctl nodes`] : []),
    ...(older > 0 ? [`${count(older, 'older process', 'older processes')} cannot confirm it`] : []),
  ].join('; ')
}

/** `mx2 worker 3 last seen 12s ago` */
function unconfirmedText({ node, why, silent }: Unconfirmed): string {
  return `${nodeName(node)}${why ? `: ${why}` : ` last seen ${duration(silent)} ago`}`
}

/** A change is not in force in every process. */
class NotConfirmedError extends UserError {
  constructor() {
    super('done, but not every process has confirmed it', 5)
  }
}

/** For {@link WAIT}. @throws {UserError} status 5. */
export function assertConfirmed(confirmation: Confirmation): void {
  if (!isConfirmed(confirmation)) throw new NotConfirmedError()
}
