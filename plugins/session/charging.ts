import type { ChargeResult } from '../../src/allowance/charge-answer'
import {
  countedOn,
  type ChargeLater,
  type Charges,
  type RecipientCharge,
} from '../../src/allowance/charges'
import type { Charge, Defaults, MessageCharge, MessageResult } from '../../src/allowance/ledger'
import { isOwn, mayBeForward, modeOf, takesOneRecipient } from '../../src/decision/judge'
import { outcomeOf, passesUncounted, type Outcome } from '../../src/decision/outcome'
import { REPLIES } from '../../src/decision/reply'
import type { Snapshot } from '../../src/directory/snapshot'
import { CLASSES } from '../../src/mail/classes'
import { METERS, type Meter } from '../../src/mail/meters'
import type { Config } from '../../src/process/config'
import type { Engine } from '../../src/process/engine'
import { redisFailure } from '../../src/store/failure'
import type { Answer } from '../kit/guard'
import type { Connection, EnvelopeRecipient } from '../kit/haraka'
import type { RedisTroubles } from '../kit/redis-troubles'
import { answeredRecipients } from './recipients'
import type { MessageProof, Report } from './report'
import type { Transaction } from './transaction'

/** What the hooks of a process share. */
export interface HookContext {
  readonly report: Report
  /** The configuration in effect. */
  readonly config: () => Config
  /** The defaults that follow from it. */
  readonly defaults: () => Defaults
  /** `undefined` until Haraka has started the plugin. */
  readonly engine: () => Engine | undefined
  readonly troubles: RedisTroubles
}

/** Recipients that Redis is asked to charge. */
interface Asked {
  readonly engine: Engine
  readonly charges: Charges
  readonly tenant: string
  readonly recipients: readonly RecipientCharge[]
  /** What this process knew of the restriction when it asked. */
  readonly stateToken: string
}

/** The same, where a client waits for the answer. */
interface Waiting extends Asked {
  readonly connection: Connection
  readonly transaction: Transaction
  /** Of the message, at the end of DATA; `undefined` at RCPT. */
  readonly proof: MessageProof | undefined
}

/** Recipients of a message that are charged at the end of DATA. */
export interface Message {
  readonly engine: Engine
  readonly charges: Charges
  readonly recipients: readonly RecipientCharge[]
  readonly proof: MessageProof
  /** Nothing is counted unless it is a proven forward. */
  readonly provenOnly: boolean
}

/**
 * Charges recipients: at RCPT, at the end of DATA, or after the message has ended. {@link Charging.noteAnswer} says what
 * follows from the answer of Redis.
 */
export class Charging {
  constructor(private readonly context: HookContext) {}

  /**
   * Charges the recipients of a RCPT command, all or none.
   *
   * @param command its recipients: those in the tenant's own domains are free.
   */
  charge(
    connection: Connection,
    transaction: Transaction,
    meter: Meter,
    command: readonly EnvelopeRecipient[],
  ): Answer | Promise<Answer> {
    const engine = this.context.engine()
    const { attribution, snapshot, haraka } = transaction
    if (!engine || attribution.kind !== 'attributed' || !snapshot) return REPLIES.undecidable
    if (transaction.hasEnded) return undefined
    if (this.isOneTooMany(transaction, snapshot)) {
      transaction.defer()
      this.context.report.refused(connection, transaction, 'deferred')
      return answered(transaction, command, REPLIES.oneRecipient)
    }
    const counted =
      command.length === 1 ? command : command.filter((recipient) => !isOwn(recipient, snapshot))
    const { registryState } = engine
    if (registryState !== 'usable') {
      const reason =
        registryState === 'unknown' ? 'no connection to Redis' : `registry-${registryState}`
      const reply = this.uncounted(transaction, counted.length, reason)
      if (reply === undefined) transaction.passUncharged(counted.length)
      return answered(transaction, command, reply)
    }

    const { tenant, connector = '' } = attribution
    const { domain = '' } = transaction.sender
    const { ip } = connection.remote
    const { stateToken, domainsToken } = snapshot
    const charges = this.chargesOf(transaction, engine)
    const sender = { domain, connector, ip }
    const rank = answeredRecipients(haraka)
    const recipients = counted.map((each) => charges.open(tenant, meter, each, rank, sender))
    const waiting: Waiting = {
      engine,
      charges,
      tenant,
      recipients,
      stateToken,
      connection,
      transaction,
      proof: undefined,
    }
    const { ordinal } = recipients[0]!
    const last = recipients.length === 1 ? undefined : ordinal + recipients.length - 1
    const charge: Charge = {
      tenant,
      meter,
      transaction: haraka.uuid,
      ordinal,
      last,
      domainsToken,
      domain,
      connector,
      ip,
    }
    return engine.ledger.charge(charge, this.defaultsFor(snapshot)).then(
      (result) => answered(transaction, command, this.answeredAtRcpt(waiting, result)),
      (error: unknown) => answered(transaction, command, this.unanswered(waiting, error)),
    )
  }

  private answeredAtRcpt(waiting: Waiting, result: ChargeResult): Answer {
    const reply = this.conclude(waiting, result)
    const passes = reply === undefined && result.answer !== 'OFF'
    for (const each of waiting.recipients) each.passes = passes
    return reply
  }

  /** A mode that Redis has lost stays in effect. */
  private defaultsFor(snapshot: Snapshot): Defaults {
    const defaults = this.context.defaults()
    if (snapshot.modeIsLost !== true) return defaults
    return { ...defaults, override: modeOf(snapshot, this.context.config()) }
  }

  /** By what this process knows of the restriction: Redis decides only the limits themselves. */
  private isOneTooMany({ sender, haraka }: Transaction, snapshot: Snapshot): boolean {
    if (!takesOneRecipient(sender, snapshot, this.context.config())) return false
    return haraka.rcpt_to.filter((recipient) => !isOwn(recipient, snapshot)).length > 1
  }

  /** Unless the error says so, whether they were counted stays unknown until a refund or the charge of their message. */
  private unanswered(
    { engine, charges, recipients, transaction }: Waiting,
    error: unknown,
  ): Answer {
    this.context.troubles.tell('charge', error)
    // A recipient that may be held is charged with its message.
    const { snapshot } = transaction
    const { meter } = recipients[0]!
    const mayBeHeld = snapshot && mayBeForward(meter, snapshot, this.context.config())
    const state = mayBeHeld ? 'held' : 'unknown'
    charges.close(recipients, engine.store.changedNothing(error) ? 'none' : state)
    const reply = this.uncounted(transaction, recipients.length, redisFailure(error))
    for (const each of recipients) each.passes = reply === undefined
    if (reply !== undefined) charges.refund(recipients)
    return reply
  }

  /** Charges all recipients of a message at the end of DATA, as a forward where that is proven; all or none. */
  async chargeMessage(
    connection: Connection,
    transaction: Transaction,
    snapshot: Snapshot,
    { engine, charges, recipients, proof, provenOnly }: Message,
  ): Promise<Answer> {
    const { stateToken } = snapshot
    const { tenant, sender, meter } = recipients[0]!
    const signatures = proof.kind === 'none' ? [] : proof.signatures
    const message: MessageCharge = {
      ...{ tenant, ...sender, transaction: transaction.haraka.uuid, provenOnly },
      ...countedOn(meter, signatures),
      ...{ ordinals: recipients.map(({ ordinal }) => ordinal), signatures },
    }
    for (const each of recipients) each.signatures = signatures
    let result: MessageResult
    try {
      result = await engine.ledger.chargeMessage(message, this.defaultsFor(snapshot))
    } catch (error) {
      this.context.troubles.tell('charge', error)
      if (engine.store.changedNothing(error)) charges.refund(recipients)
      // What was charged stays charged and the message passes. What is held is charged when Redis answers again.
      else charges.close(recipients.filter(isPending), 'unknown')
      return this.uncounted(transaction, recipients.length, redisFailure(error))
    }
    const asked = { engine, charges, tenant, recipients, stateToken }
    return this.conclude({ ...asked, connection, transaction, proof }, result)
  }

  /** Charges recipients of an accepted message that this plugin's rcpt_ok has not seen, in the background. */
  chargeUnseen({ remote }: Connection, transaction: Transaction): void {
    const engine = this.context.engine()
    const { attribution, snapshot, sender, unseen } = transaction
    if (!engine || attribution.kind !== 'attributed' || !snapshot) return
    const { meter } = CLASSES[sender.class]
    if (meter === undefined || modeOf(snapshot, this.context.config()) === 'off') return
    this.context.report.unseen(transaction)
    const { tenant, connector = '' } = attribution
    const from = { domain: sender.domain ?? '', connector, ip: remote.ip }
    this.chargesOf(transaction, engine).chargeAccepted(tenant, meter, unseen, from)
  }

  /** The charges of a transaction. Those that are still held at its end are charged in the background. */
  chargesOf(transaction: Transaction, engine: Engine): Charges {
    return transaction.openCharges(engine.refund, this.chargeLater)
  }

  private readonly chargeLater: ChargeLater = (charges, message, recipients) => {
    const engine = this.context.engine()!
    const { tenant } = message
    const defaults = this.context.defaults()
    engine.inBackground(tenant, async () => {
      const stateToken = engine.directory.peek(tenant)?.stateToken ?? ''
      const result = await engine.ledger.chargeMessage(message, defaults)
      this.noteAnswer({ engine, charges, tenant, recipients, stateToken }, result)
      this.tellLate(message, result)
    })
  }

  /**
   * What follows from the answer of Redis to any charge: what this process knows of the tenant, events that were raised,
   * and what is refunded.
   */
  private noteAnswer(
    { engine, charges, tenant, recipients, stateToken }: Asked,
    result: ChargeResult | MessageResult,
  ): Outcome {
    this.context.troubles.over('charge')
    engine.charged(tenant, result, stateToken)
    const meter = 'meter' in result ? result.meter : recipients[0]!.meter
    const outcome = outcomeOf(result, meter, this.context.config())
    if (outcome.charge === 'refund') charges.refund(recipients)
    return outcome
  }

  /** The same for a client that waits: also what the transaction counts, the log, and the answer. */
  private conclude(waiting: Waiting, result: ChargeResult | MessageResult): Answer {
    const outcome = this.noteAnswer(waiting, result)
    const { charge } = outcome
    if (charge !== 'refund') {
      // Without a window nothing was counted at RCPT; at the end of DATA the signatures were.
      const isKept = charge !== 'counted' || result.window > 0 || waiting.proof
      waiting.charges.close(waiting.recipients, isKept ? charge : 'none')
    }
    return this.answer(waiting, result, outcome)
  }

  private answer(
    { connection, transaction, recipients: { length: recipients }, proof }: Waiting,
    result: ChargeResult | MessageResult,
    { charge, reply, token, verdict }: Outcome,
  ): Answer {
    const { report } = this.context
    const { answer } = result
    if (token === 'undecidable') {
      const asked = proof ? 'settle' : 'charge'
      return this.uncounted(transaction, recipients, `${asked} ${answer.toLowerCase()}`)
    }
    if (answer === 'REGISTERED') transaction.markRegistered()
    // A proven forward is one even where it is refused.
    else if (isProven(proof) && answer !== 'OFF' && isForwarded(result)) transaction.markForwarded()
    if (verdict === 'refuse') transaction.refuse(recipients)
    else if (verdict === 'tempfail') transaction.defer(recipients)
    if (charge === 'counted') {
      if (proof) {
        report.chargedMessage(connection, transaction, recipients, result as MessageResult, proof)
      } else report.charged(connection, transaction, result)
    } else if (answer === 'TRIPPED') {
      report.tripped(connection, transaction, result, connection.remote.ip)
    } else if (reply) report.refused(connection, transaction, token)
    return reply
  }

  /** Logs what a client would have been told. */
  private tellLate({ tenant, ordinals, accepted }: MessageCharge, { answer }: MessageResult): void {
    const mail = `mail of ${tenant} to ${accepted ?? ordinals.length} recipients was accepted`
    const isRefused = answer === 'TRIPPED' || answer === 'RESTRICTED' || answer === 'ZERO'
    let what: string
    if (accepted !== undefined && answer === 'TRIPPED') {
      what = 'before it was counted, and restricts the tenant'
    } else if (accepted === undefined && isRefused) {
      what = `uncounted (${answer}): another plugin accepted it first, or Redis did not answer`
    } else return
    this.context.troubles.tell('background', `${mail} ${what}`)
  }

  /** Recipients that could not be counted pass, or get a 451. */
  uncounted(
    transaction: Transaction,
    recipients: number,
    reason: string,
    passes = passesUncounted(transaction.snapshot, this.context.config()),
  ): Answer {
    if (!passes) transaction.defer(recipients)
    this.context.report.undecided(transaction, reason, passes ? 'pass' : 'tempfail')
    return passes ? undefined : REPLIES.undecidable
  }
}

function answered(
  transaction: Transaction,
  command: readonly EnvelopeRecipient[],
  reply: Answer,
): Answer {
  transaction.answerCommand(command, reply === undefined)
  return reply
}

function isProven(proof: MessageProof | undefined): boolean {
  return proof !== undefined && proof.kind !== 'none'
}

function isForwarded(result: ChargeResult | MessageResult): boolean {
  return 'meter' in result && METERS[result.meter].proven
}

function isPending({ state }: RecipientCharge): boolean {
  return state === 'pending'
}
