import type { ChargeResult } from '../allowance/ledger'
import type { Config } from '../config'
import type { Known } from '../tenants/snapshot'
import { modeOf } from './judge'
import { REPLIES, type Reply } from './reply'

/** What a charge means for its recipient. */
export interface Outcome {
  readonly verdict: 'pass' | 'refuse' | 'tempfail'
  readonly reply: Reply | undefined
  /** For the results store and the log. */
  readonly token:
    'allowance' | 'registered' | 'off' | 'restricted' | 'tripped' | 'deferred' | 'undecidable'
}

const PASS = { verdict: 'pass', reply: undefined } as const
const REFUSE = { verdict: 'refuse', reply: REPLIES.blocked } as const

/** Turns the answer of Redis into what the client is told. */
export function outcomeOf(result: Pick<ChargeResult, 'answer' | 'scope'>): Outcome {
  switch (result.answer) {
    case 'CHARGED':
      return { ...PASS, token: 'allowance' }
    case 'REGISTERED':
      return { ...PASS, token: 'registered' }
    case 'OFF':
      return { ...PASS, token: 'off' }
    case 'TRIPPED':
      return { ...REFUSE, token: 'tripped' }
    case 'ZERO':
      return { ...REFUSE, token: 'restricted' }
    case 'RESTRICTED':
      return result.scope === 'all'
        ? { verdict: 'refuse', reply: REPLIES.blockedAll, token: 'restricted' }
        : { ...REFUSE, token: 'restricted' }
    case 'DEFER':
      return { verdict: 'tempfail', reply: REPLIES.deferred, token: 'deferred' }
    case 'FULL':
      return { verdict: 'tempfail', reply: REPLIES.nullSenderFull, token: 'deferred' }
    case 'EXPIRED':
    case 'GONE':
      return { verdict: 'tempfail', reply: REPLIES.undecidable, token: 'undecidable' }
  }
}

/** Whether a recipient passes that could not be counted: outside of `enforce` nothing is refused, with a 4xx neither. */
export function passesUncounted(snapshot: Known, config: Config): boolean {
  return config.outage.unregistered === 'accept' || modeOf(snapshot, config) !== 'enforce'
}
