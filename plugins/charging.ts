import type { ChargeResult } from '../src/allowance/charge-answer'
import type { Charge } from '../src/allowance/ledger'
import type { Charges, RecipientCharge } from '../src/relay/charges'
import { isOwn, takesOneRecipient } from '../src/relay/judge'
import { outcomeOf } from '../src/relay/outcome'
import { REPLIES } from '../src/relay/reply'
import { redisFailure } from '../src/store/failure'
import type { Snapshot } from '../src/tenants/snapshot'
import type { Answer } from './guard'
import type { Connection } from './haraka'
import { chargesOf, uncounted, type Means } from './means'
import { answeredRecipients } from './settlement'
import type { Transit } from './transit'

/** What happens to a recipient that is to be counted. */
export class Charging {
  constructor(private readonly means: Means) {}

  /** Counts the recipient, and answers by what Redis says. */
  charge(
    connection: Connection,
    transit: Transit,
    meter: Charge['meter'],
  ): Answer | Promise<Answer> {
    const engine = this.means.engine()
    const { attribution, snapshot, standing, transaction } = transit
    if (!engine || attribution.kind !== 'attributed' || !snapshot) return REPLIES.undecidable
    if (transit.hasEnded) return undefined
    if (this.isOneTooMany(transit, snapshot)) {
      transit.deferred++
      this.means.report.refused(connection, transit, 'deferred')
      return REPLIES.oneRecipient
    }
    const { registryState } = engine
    if (registryState !== 'usable') {
      const reason =
        registryState === 'unknown' ? 'no connection to Redis' : `registry-${registryState}`
      const reply = uncounted(this.means, transit, 1, reason)
      if (reply === undefined) transit.passed++
      return reply
    }

    const charges = chargesOf(transit, engine, this.means)
    const sender = {
      domain: standing.domain ?? '',
      connector: attribution.connector ?? '',
      ip: connection.remote.ip,
    }
    const charge = charges.open(attribution.tenant, meter, answeredRecipients(transaction), sender)
    return engine.ledger
      .charge(
        {
          tenant: attribution.tenant,
          meter,
          transaction: transaction.uuid,
          ordinal: charge.ordinal,
          domainsToken: snapshot.domainsToken,
          domain: sender.domain,
          connector: sender.connector,
          ip: sender.ip,
        },
        this.means.defaults(),
      )
      .then(
        (result) => this.charged(connection, transit, charges, charge, snapshot.stateToken, result),
        (error: unknown) => this.unanswered(transit, charges, charge, error),
      )
  }

  /** By what this process knows of the restriction: the limits themselves are decided in Redis. */
  private isOneTooMany({ standing, transaction }: Transit, snapshot: Snapshot): boolean {
    if (!takesOneRecipient(standing, snapshot, this.means.config())) return false
    return transaction.rcpt_to.filter((recipient) => !isOwn(recipient, snapshot)).length > 1
  }

  private charged(
    connection: Connection,
    transit: Transit,
    charges: Charges,
    charge: RecipientCharge,
    stateToken: string,
    result: ChargeResult,
  ): Answer {
    const { answer } = result
    this.means.troubles.over('charge')
    charges.close(charge, stateAfter(result))
    const outcome = outcomeOf(result, this.means.config())
    let reply: Answer = outcome.reply
    charge.passes = outcome.verdict === 'pass' && answer !== 'OFF'
    if (answer === 'REGISTERED') transit.isRegistered = true
    if (outcome.verdict === 'refuse') transit.refused++
    if (answer === 'CHARGED') {
      this.means.report.charged(connection, transit, result)
    } else if (answer === 'TRIPPED') {
      this.means.report.tripped(connection, transit, result, connection.remote.ip)
    } else if (outcome.token === 'undecidable') {
      reply = uncounted(this.means, transit, 1, `charge ${answer.toLowerCase()}`)
      charge.passes = reply === undefined
    } else if (outcome.reply) {
      if (outcome.verdict === 'tempfail') transit.deferred++
      this.means.report.refused(connection, transit, outcome.token)
    }
    this.means.engine()?.charged(charge.tenant, result, stateToken)
    return reply
  }

  /**
   * Redis gave no answer, or refused: unless that says it, whether the recipient was counted is unknown, until its
   * refund or its message settles it.
   */
  private unanswered(
    transit: Transit,
    charges: Charges,
    charge: RecipientCharge,
    error: unknown,
  ): Answer {
    const engine = this.means.engine()
    this.means.troubles.tell('charge', error)
    // Perhaps it is held: then it is to be settled with its message.
    const mayBeHeld = charge.meter === 'unregistered' && transit.snapshot?.forwards
    const state = mayBeHeld ? 'held' : 'unknown'
    charges.close(charge, engine?.store.changedNothing(error) ? 'none' : state)
    const reply = uncounted(this.means, transit, 1, redisFailure(error))
    charge.passes = reply === undefined
    if (reply !== undefined) charges.drop([charge])
    return reply
  }
}

function stateAfter({ answer, window }: ChargeResult): 'counted' | 'held' | 'none' {
  if (answer === 'HELD') return 'held'
  return answer === 'CHARGED' && window > 0 ? 'counted' : 'none'
}
