import type { ChargeResult } from '../allowance/charge-answer'
import type { DecisionSettings } from './settings'
import type { Known } from '../directory/snapshot'
import { modeOf } from './judge'
import { REPLIES, withCase, type Reply } from './reply'

/** What a charge means for its recipient. */
export interface Outcome {
  readonly verdict: 'pass' | 'refuse' | 'tempfail'
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
  reply: REPLIES.undecidable,
  token: 'undecidable',
}

const OUTCOMES: Readonly<Record<Answer, Outcome>> = {
  CHARGED: { verdict: 'pass', reply: undefined, token: 'allowance' },
  FORWARDED: { verdict: 'pass', reply: undefined, token: 'allowance' },
  UNPROVEN: { verdict: 'refuse', reply: REPLIES.foreign, token: 'foreign' },
  HELD: { verdict: 'pass', reply: undefined, token: 'held' },
  BUSY: { verdict: 'tempfail', reply: REPLIES.deferred, token: 'deferred' },
  REGISTERED: { verdict: 'pass', reply: undefined, token: 'registered' },
  OFF: { verdict: 'pass', reply: undefined, token: 'off' },
  TRIPPED: { verdict: 'refuse', reply: REPLIES.blocked, token: 'tripped' },
  RESTRICTED: { verdict: 'refuse', reply: REPLIES.blocked, token: 'restricted' },
  ZERO: { verdict: 'refuse', reply: REPLIES.blocked, token: 'restricted' },
  DEFER: { verdict: 'tempfail', reply: REPLIES.deferred, token: 'deferred' },
  FULL: { verdict: 'tempfail', reply: REPLIES.nullSenderFull, token: 'deferred' },
  EXPIRED: UNDECIDABLE,
  GONE: UNDECIDABLE,
}

const RESTRICTED_ALL: Outcome = { ...OUTCOMES.RESTRICTED, reply: REPLIES.blockedAll }

/** Turns the answer of Redis into what the client is told. */
export function outcomeOf(
  result: Pick<ChargeResult, 'answer' | 'scope' | 'case'>,
  config: DecisionSettings,
): Outcome {
  const { answer, scope } = result
  const outcome = answer === 'RESTRICTED' && scope === 'all' ? RESTRICTED_ALL : OUTCOMES[answer]
  if (!config.reply.case || !outcome.reply) return outcome
  return { ...outcome, reply: withCase(outcome.reply, result.case) }
}

/** Whether a recipient passes that could not be counted: outside of `enforce` nothing is refused, with a 4xx neither. */
export function passesUncounted(snapshot: Known, config: DecisionSettings): boolean {
  return config.outage.unregistered === 'accept' || modeOf(snapshot, config) !== 'enforce'
}
