import type { Charges, RecipientCharge } from '../../src/allowance/charges'
import { within } from '../../src/base/deadline'
import type { Attributed } from '../../src/decision/attribution'
import { isOwn, modeOf, refusedOutright } from '../../src/decision/judge'
import { outcomeOf } from '../../src/decision/outcome'
import { REPLIES } from '../../src/decision/reply'
import type { Snapshot } from '../../src/directory/snapshot'
import { CLASSES } from '../../src/mail/classes'
import { USUAL_METER } from '../../src/mail/meters'
import type { Engine } from '../../src/process/engine'
import type { Answer } from '../kit/guard'
import type { Connection } from '../kit/haraka'
import type { Charging, HookContext, Message } from './charging'
import { proveForward } from './proof'
import { answeredRecipients } from './recipients'
import type { MessageProof } from './report'
import type { Transaction } from './transaction'

/** How long a message waits for a tenant that this process has unloaded, in ms. */
const LOAD_DEADLINE = 5000

/** Why registered mail counts as unregistered, for the log. */
const FROM_HEADER: MessageProof = { kind: 'none', reason: 'From header' }

/** Why a message was not examined, for the log: too many others were. */
const NO_TURN = 'no turn for a proof'

/**
 * What happens at the end of DATA: recipients that were held are charged, as a forward where that is proven, and
 * registered mail with a foreign header From as unregistered mail. All recipients of a message, or none.
 */
export class EndOfData {
  constructor(
    private readonly context: HookContext,
    private readonly charging: Charging,
  ) {}

  /** Charges what is held. Answers at once where nothing is, as for nearly all mail. */
  chargeHeld(connection: Connection, transaction: Transaction): Answer | Promise<Answer> {
    const { charges } = transaction
    const held = charges?.held()
    if (!charges || !held || held.length === 0) return undefined
    return transaction.decide(this.chargeAll(connection, transaction, charges, held))
  }

  /** A transaction has recipients of two tenants where AUTH came between two RCPT. */
  private async chargeAll(
    connection: Connection,
    transaction: Transaction,
    charges: Charges,
    held: ReturnType<Charges['held']>,
  ): Promise<Answer> {
    const wasAccepted = transaction.mayBeAccepted()
    for (const [tenant, all] of held) {
      const recipients = all.filter(wasAccepted)
      if (recipients.length === 0) continue
      const answer = await this.chargeTenant(connection, transaction, charges, tenant, recipients)
      if (answer !== undefined) {
        passNone(held.flatMap(([, every]) => every))
        return answer
      }
    }
    return undefined
  }

  private async chargeTenant(
    connection: Connection,
    transaction: Transaction,
    charges: Charges,
    tenant: string,
    recipients: readonly RecipientCharge[],
  ): Promise<Answer> {
    const engine = this.context.engine()
    const snapshot = engine && (await knownOrLoaded(engine, tenant))
    const uncounted = (reason: string, passes?: boolean): Answer => {
      charges.refund(recipients)
      return this.charging.uncounted(transaction, recipients.length, reason, passes)
    }
    if (!engine || !snapshot) return uncounted('tenant-unknown')
    if (engine.registryState !== 'usable') return uncounted(`registry-${engine.registryState}`)
    // The client disconnected: Haraka does not accept the message any more (plugins.js, run_next_hook).
    if (transaction.hasEnded) return undefined
    const { arcSealers } = this.context.config().forwarded
    const proof = await proveForward(transaction, snapshot, arcSealers)
    if (transaction.hasEnded) return undefined
    const config = this.context.config()
    if (proof.kind === 'none' && proof.reason === 'no turn') {
      // A client can cause this, unlike an outage of Redis: it must not be a way around the allowance.
      return uncounted(NO_TURN, modeOf(snapshot, config) !== 'enforce')
    }
    const refused = refusedOutright(transaction.sender, snapshot, config)
    if (proof.kind === 'none' && refused !== undefined) {
      transaction.refuse(recipients.length)
      this.context.report.refused(connection, transaction, refused)
      return REPLIES[refused]
    }
    const message = { engine, charges, recipients, proof, provenOnly: refused !== undefined }
    return this.charging.chargeMessage(connection, transaction, snapshot, message)
  }

  /**
   * Charges recipients of registered mail as unregistered mail, all or none; those in the tenant's own domains are free.
   *
   * @param domain that they are charged for; empty: none.
   */
  chargeInstead(
    connection: Connection,
    transaction: Transaction,
    { tenant, connector = '' }: Attributed,
    snapshot: Snapshot,
    domain: string,
  ): Answer | Promise<Answer> {
    const engine = this.context.engine()
    if (!engine) return REPLIES.undecidable
    const charges = this.charging.chargesOf(transaction, engine)
    const charged = charges.recipients()
    const uncharged = transaction.haraka.rcpt_to.filter(
      (recipient) => !charged.has(recipient) && !isOwn(recipient, snapshot),
    )
    if (uncharged.length === 0) return undefined
    transaction.countInstead(domain, uncharged.length)
    const { meter = USUAL_METER } = CLASSES[transaction.sender.class]
    const config = this.context.config()
    const { restricted } = snapshot
    if (restricted !== undefined && modeOf(snapshot, config) === 'enforce') {
      transaction.refuse(uncharged.length)
      this.context.report.refused(connection, transaction, 'restricted')
      const known = { answer: 'RESTRICTED', scope: restricted, case: snapshot.case } as const
      return outcomeOf(known, meter, config).reply
    }
    const sender = { domain, connector, ip: connection.remote.ip }
    // The client has the answers to its RCPT commands: no later plugin refuses one.
    const rank = answeredRecipients(transaction.haraka)
    const recipients = uncharged.map((recipient) =>
      charges.open(tenant, meter, recipient, rank, sender),
    )
    for (const each of recipients) each.passes = true
    const provenOnly = refusedOutright(transaction.sender, snapshot, config) !== undefined
    const message = { engine, charges, recipients, proof: FROM_HEADER, provenOnly }
    return this.chargeMessageInstead(connection, transaction, snapshot, message)
  }

  private async chargeMessageInstead(
    connection: Connection,
    transaction: Transaction,
    snapshot: Snapshot,
    message: Message,
  ): Promise<Answer> {
    const { engine, charges, recipients } = message
    const { registryState } = engine
    let answer: Answer
    if (registryState === 'usable') {
      answer = await transaction.decide(
        this.charging.chargeMessage(connection, transaction, snapshot, message),
      )
    } else {
      charges.refund(recipients)
      const reason = `registry-${registryState}`
      answer = this.charging.uncounted(transaction, recipients.length, reason)
    }
    if (answer !== undefined) passNone(recipients)
    return answer
  }
}

/** The message was refused. */
function passNone(recipients: readonly RecipientCharge[]): void {
  for (const each of recipients) each.passes = false
}

async function knownOrLoaded(engine: Engine, tenant: string): Promise<Snapshot | undefined> {
  const { directory } = engine
  try {
    return directory.peek(tenant) ?? (await within(LOAD_DEADLINE, directory.load(tenant)))
  } catch {
    return undefined
  }
}
