import type { ChargeResult } from '../../src/allowance/charge-answer'
import type { Charge } from '../../src/allowance/ledger'
import type { RecipientCharge } from '../../src/allowance/charges'
import { isOwn, modeOf, takesOneRecipient } from '../../src/decision/judge'
import { outcomeOf } from '../../src/decision/outcome'
import { REPLIES } from '../../src/decision/reply'
import { redisFailure } from '../../src/store/failure'
import type { Snapshot } from '../../src/directory/snapshot'
import type { Answer } from '../kit/guard'
import type { Connection, EnvelopeRecipient } from '../kit/haraka'
import { chargesOf, uncounted, type Means } from './hook-context'
import { answeredRecipients } from './settlement'
import type { Transit } from './transaction'

/** What happens to recipients that are to be counted. */
export class Charging {
  constructor(private readonly means: Means) {}

  /**
   * Counts the recipients of a RCPT command, all or none, and answers by what Redis says.
   *
   * @param command all that came with it: the tenant's own ones are free.
   */
  charge(
    connection: Connection,
    transit: Transit,
    meter: Charge['meter'],
    command: readonly EnvelopeRecipient[],
  ): Answer | Promise<Answer> {
    const engine = this.means.engine()
    const { attribution, snapshot, standing, transaction } = transit
    if (!engine || attribution.kind !== 'attributed' || !snapshot) return REPLIES.undecidable
    if (transit.hasEnded) return undefined
    if (this.isOneTooMany(transit, snapshot)) {
      transit.deferred++
      this.means.report.refused(connection, transit, 'deferred')
      return answered(transit, command, REPLIES.oneRecipient)
    }
    const counted =
      command.length === 1 ? command : command.filter((recipient) => !isOwn(recipient, snapshot))
    const { registryState } = engine
    if (registryState !== 'usable') {
      const reason =
        registryState === 'unknown' ? 'no connection to Redis' : `registry-${registryState}`
      const reply = uncounted(this.means, transit, counted.length, reason)
      if (reply === undefined) transit.passed += counted.length
      return answered(transit, command, reply)
    }

    const charges = chargesOf(transit, engine, this.means)
    const sender = {
      domain: standing.domain ?? '',
      connector: attribution.connector ?? '',
      ip: connection.remote.ip,
    }
    const rank = answeredRecipients(transaction)
    const opened: RecipientCharge[] = []
    for (const recipient of counted) {
      opened.push(charges.open(attribution.tenant, meter, recipient, rank, sender))
    }
    const { ordinal } = opened[0]!
    return engine.ledger
      .charge(
        {
          tenant: attribution.tenant,
          meter,
          transaction: transaction.uuid,
          ordinal,
          last: opened.length === 1 ? undefined : ordinal + opened.length - 1,
          domainsToken: snapshot.domainsToken,
          domain: sender.domain,
          connector: sender.connector,
          ip: sender.ip,
        },
        this.means.defaults(),
      )
      .then(
        (result) => {
          const reply = this.charged(connection, transit, opened, snapshot.stateToken, result)
          return answered(transit, command, reply)
        },
        (error: unknown) => answered(transit, command, this.unanswered(transit, opened, error)),
      )
  }

  /**
   * Charges what a message was taken for past our rcpt_ok: when it has ended, since nobody asked us before. Waits for
   * nothing.
   */
  chargeUnseen({ remote }: Connection, transit: Transit): void {
    const engine = this.means.engine()
    const { attribution, snapshot, standing, unseen } = transit
    if (!engine || attribution.kind !== 'attributed' || !snapshot) return
    if (modeOf(snapshot, this.means.config()) === 'off') return
    this.means.report.unseen(transit)
    const { tenant, connector = '' } = attribution
    chargesOf(transit, engine, this.means).chargeTaken(
      tenant,
      standing.class === 'null' ? 'null' : 'unregistered',
      unseen,
      { domain: standing.domain ?? '', connector, ip: remote.ip },
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
    charges: readonly RecipientCharge[],
    stateToken: string,
    result: ChargeResult,
  ): Answer {
    const { answer } = result
    this.means.troubles.over('charge')
    transit.charges?.closeAll(charges, stateAfter(result))
    const outcome = outcomeOf(result, this.means.config())
    let reply: Answer = outcome.reply
    let passes = outcome.verdict === 'pass' && answer !== 'OFF'
    if (answer === 'REGISTERED') transit.isRegistered = true
    if (outcome.verdict === 'refuse') transit.refused += charges.length
    if (answer === 'CHARGED') {
      this.means.report.charged(connection, transit, result)
    } else if (answer === 'TRIPPED') {
      this.means.report.tripped(connection, transit, result, connection.remote.ip)
    } else if (outcome.token === 'undecidable') {
      reply = uncounted(this.means, transit, charges.length, `charge ${answer.toLowerCase()}`)
      passes = reply === undefined
    } else if (outcome.reply) {
      if (outcome.verdict === 'tempfail') transit.deferred += charges.length
      this.means.report.refused(connection, transit, outcome.token)
    }
    for (const charge of charges) charge.passes = passes
    this.means.engine()?.charged(charges[0]!.tenant, result, stateToken)
    return reply
  }

  /**
   * Redis gave no answer, or refused: unless that says it, whether the recipients were counted is unknown, until their
   * refund or their message settles it.
   */
  private unanswered(
    transit: Transit,
    charges: readonly RecipientCharge[],
    error: unknown,
  ): Answer {
    const engine = this.means.engine()
    this.means.troubles.tell('charge', error)
    // Perhaps it is held: then it is to be settled with its message.
    const mayBeHeld = charges[0]!.meter === 'unregistered' && transit.snapshot?.forwards
    const state = mayBeHeld ? 'held' : 'unknown'
    transit.charges?.closeAll(charges, engine?.store.changedNothing(error) ? 'none' : state)
    const reply = uncounted(this.means, transit, charges.length, redisFailure(error))
    for (const charge of charges) charge.passes = reply === undefined
    if (reply !== undefined) transit.charges?.drop(charges)
    return reply
  }
}

/** Lets all recipients of the command through, or takes all of them out. */
function answered(
  { recipients }: Transit,
  command: readonly EnvelopeRecipient[],
  reply: Answer,
): Answer {
  if (reply === undefined) recipients.pass(command)
  else recipients.takeOut(command)
  return reply
}

function stateAfter({ answer, window }: ChargeResult): 'counted' | 'held' | 'none' {
  if (answer === 'HELD') return 'held'
  return answer === 'CHARGED' && window > 0 ? 'counted' : 'none'
}
