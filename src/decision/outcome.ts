import type { ChargeResult } from '../allowance/charge-answer'
import type { DecisionSettings } from './settings'
import type { Known } from '../directory/snapshot'
import { modeOf } from './judge'
import { METERS, type Meter } from '../mail/meters'
import { REPLIES, withCase, type Reply } from './reply'

/** What the answer of Redis to a charge means for its recipients. */
export interface Outcome {
  readonly verdict: 'pass' | 'refuse' | 'tempfail'
  /**
   * `counted`, or `held` until the end of DATA; `none`: nothing is counted or held any more; `refund`: what was held is
   * to be given back.
   */
  readonly charge: 'counted' | 'held' | 'none' | 'refund'
  readonly reply: Reply | undefined
  /** For the results store and the log. */
  readonly token:
    | 'allowance'
    | 'held'
    | 'foreign'
    | 'registered'
    | 'off'
    | 'restricted'
    | 'tripped'
    | 'deferred'
    | 'undecidable'
}

type Answer = ChargeResult['answer']

const UNDECIDABLE: Outcome = {
  verdict: 'tempfail',
  charge: 'refund',
  reply: REPLIES.undecidable,
  token: 'undecidable',
}

const OUTCOMES: Readonly<Record<Answer, Outcome>> = {
  CHARGED: { verdict: 'pass', charge: 'counted', reply: undefined, token: 'allowance' },
  FORWARDED: { verdict: 'pass', charge: 'counted', reply: undefined, token: 'allowance' },
  UNPROVEN: { verdict: 'refuse', charge: 'refund', reply: REPLIES.foreign, token: 'foreign' },
  HELD: { verdict: 'pass', charge: 'held', reply: undefined, token: 'held' },
  BUSY: { verdict: 'tempfail', charge: 'refund', reply: REPLIES.deferred, token: 'deferred' },
  REGISTERED: { verdict: 'pass', charge: 'refund', reply: undefined, token: 'registered' },
  OFF: { verdict: 'pass', charge: 'refund', reply: undefined, token: 'off' },
  TRIPPED: { verdict: 'refuse', charge: 'none', reply: REPLIES.blocked, token: 'tripped' },
  RESTRICTED: { verdict: 'refuse', charge: 'refund', reply: REPLIES.blocked, token: 'restricted' },
  ZERO: { verdict: 'refuse', charge: 'refund', reply: REPLIES.blocked, token: 'restricted' },
  DEFER: { verdict: 'tempfail', charge: 'refund', reply: REPLIES.deferred, token: 'deferred' },
  FULL: { verdict: 'tempfail', charge: 'refund', reply: REPLIES.deferred, token: 'deferred' },
  EXPIRED: UNDECIDABLE,
  GONE: UNDECIDABLE,
}

/** By what a meter says to recipients past its limits. */
const FULL = {
  deferred: OUTCOMES.FULL,
  nullSenderFull: { ...OUTCOMES.FULL, reply: REPLIES.nullSenderFull },
} as const satisfies Record<string, Outcome>

const RESTRICTED_ALL: Outcome = { ...OUTCOMES.RESTRICTED, reply: REPLIES.blockedAll }

/** Turns the answer of Redis about a meter into the answer to the client. */
export function outcomeOf(
  result: Pick<ChargeResult, 'answer' | 'scope' | 'case'>,
  meter: Meter,
  config: DecisionSettings,
): Outcome {
  const outcome = answered(result, meter)
  if (!config.reply.case || !outcome.reply) return outcome
  return { ...outcome, reply: withCase(outcome.reply, result.case) }
}

function answered(
  { answer, scope }: Pick<ChargeResult, 'answer' | 'scope'>,
  meter: Meter,
): Outcome {
  if (answer === 'RESTRICTED' && scope === 'all') return RESTRICTED_ALL
  const { past } = METERS[meter]
  if (answer === 'FULL' && past !== 'restriction') return FULL[past]
  return OUTCOMES[answer]
}

/** Whether a recipient passes that could not be counted: only mode `enforce` refuses or defers. */
export function passesUncounted(snapshot: Known, config: DecisionSettings): boolean {
  return config.outage.unregistered === 'accept' || modeOf(snapshot, config) !== 'enforce'
}
