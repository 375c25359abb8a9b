import type { Settlement, SettlementResult } from '../../src/allowance/ledger'
import { within } from '../../src/base/deadline'
import type { NoProof, Proof } from '../../src/message/proof/prove'
import type { Attributed } from '../../src/decision/attribution'
import type { Charges, RecipientCharge } from '../../src/allowance/charges'
import type { Engine } from '../../src/process/engine'
import { isOwn, isRefusedForeign, modeOf } from '../../src/decision/judge'
import { outcomeOf } from '../../src/decision/outcome'
import { REPLIES } from '../../src/decision/reply'
import { redisFailure } from '../../src/store/failure'
import { type Snapshot } from '../../src/directory/snapshot'
import type { Answer } from '../kit/guard'
import type { Connection } from '../kit/haraka'
import { chargesOf, uncounted, type Means } from './hook-context'
import type { NotForwarded } from './report'
import { answeredRecipients } from './settlement'
import type { Transit } from './transaction'

/** How long a message waits for a tenant that this process does not know any more, in ms. */
const LOAD_DEADLINE = 5000

/** Looks for the proof that the message of a transaction is a forward; must not reject, and ends in half a minute. */
export type Prove = (
  transit: Transit,
  snapshot: Snapshot,
  arcSealers: readonly string[],
) => Promise<Proof | NoProof>

/** What the log says of registered mail that counts as unregistered. */
const FROM_HEADER: NotForwarded = { kind: 'none', reason: 'From header' }

/** What the log says of a message that was not looked at, for want of room. */
const NO_TURN = 'no turn for a proof'

/** Answers that go by a meter: a proven forward is one though it is refused. */
const DECIDED: ReadonlySet<SettlementResult['answer']> = new Set([
  'FORWARDED',
  'TRIPPED',
  'RESTRICTED',
  'ZERO',
  'DEFER',
])

/** Where a message belongs, and what is needed to count it there. */
interface Message {
  readonly engine: Engine
  readonly charges: Charges
  readonly recipients: readonly RecipientCharge[]
  readonly proof: Proof | NotForwarded
}

/**
 * What happens at the end of DATA to recipients that were held: they are counted as forwarded or as unregistered, all of a
 * message at once, which is then taken or not.
 */
export class Settling {
  constructor(
    private readonly means: Means,
    private readonly prove: Prove,
  ) {}

  /** Answers to data_post; at once where nothing was held, as with nearly all mail. */
  settle(connection: Connection, transit: Transit): Answer | Promise<Answer> {
    const held = transit.charges?.held()
    if (!held || held.length === 0) return undefined
    transit.isSettling = true
    return this.settleAll(connection, transit, transit.charges!, held).finally(
      () => (transit.isSettling = false),
    )
  }

  /**
   * Counts recipients that have passed as those of registered mail as unregistered after all, all or none; those in the
   * tenant's own domains are free.
   *
   * @param domain what they count for; empty: no domain.
   */
  chargeInstead(
    connection: Connection,
    transit: Transit,
    { tenant, connector = '' }: Attributed,
    snapshot: Snapshot,
    domain: string,
  ): Answer | Promise<Answer> {
    const engine = this.means.engine()
    if (!engine) return REPLIES.undecidable
    const charges = chargesOf(transit, engine, this.means)
    const charged = charges.recipients()
    const uncharged = transit.transaction.rcpt_to.filter(
      (recipient) => !charged.has(recipient) && !isOwn(recipient, snapshot),
    )
    if (uncharged.length === 0) return undefined
    transit.countsAs(domain)
    transit.passAll()
    transit.passed = Math.max(0, transit.passed - uncharged.length)
    const config = this.means.config()
    const { restricted } = snapshot
    if (restricted !== undefined && modeOf(snapshot, config) === 'enforce') {
      transit.refused += uncharged.length
      this.means.report.refused(connection, transit, 'restricted')
      const known = { answer: 'RESTRICTED', scope: restricted, case: snapshot.case } as const
      return outcomeOf(known, config).reply
    }
    const sender = { domain, connector, ip: connection.remote.ip }
    // The client has its answers to RCPT: no later plugin refuses one.
    const rank = answeredRecipients(transit.transaction)
    const recipients = uncharged.map((recipient) =>
      charges.open(tenant, 'unregistered', recipient, rank, sender),
    )
    for (const each of recipients) each.passes = true
    return this.settleInstead(connection, transit, snapshot, { engine, charges, recipients })
  }

  private async settleInstead(
    connection: Connection,
    transit: Transit,
    snapshot: Snapshot,
    message: Omit<Message, 'proof'>,
  ): Promise<Answer> {
    const { engine, charges, recipients } = message
    const { registryState } = engine
    let answer: Answer
    transit.isSettling = true
    try {
      answer =
        registryState === 'usable'
          ? await this.count(connection, transit, snapshot, { ...message, proof: FROM_HEADER })
          : this.uncounted(transit, charges, recipients, `registry-${registryState}`)
    } finally {
      transit.isSettling = false
    }
    if (answer !== undefined) for (const each of recipients) each.passes = false
    return answer
  }

  /** Recipients of one transaction may be of two tenants, where AUTH came in between. */
  private async settleAll(
    connection: Connection,
    transit: Transit,
    charges: Charges,
    held: ReturnType<Charges['held']>,
  ): Promise<Answer> {
    const wasTaken = transit.mayBeTaken()
    for (const [tenant, all] of held) {
      const recipients = all.filter(wasTaken)
      if (recipients.length === 0) continue
      const answer = await this.settleTenant(connection, transit, charges, tenant, recipients)
      if (answer !== undefined) {
        for (const each of held.flatMap(([, every]) => every)) each.passes = false
        return answer
      }
    }
    return undefined
  }

  private async settleTenant(
    connection: Connection,
    transit: Transit,
    charges: Charges,
    tenant: string,
    recipients: readonly RecipientCharge[],
  ): Promise<Answer> {
    const engine = this.means.engine()
    const snapshot = engine && (await knownOrLoaded(engine, tenant))
    if (!engine || !snapshot) return this.uncounted(transit, charges, recipients, 'tenant-unknown')
    const { registryState } = engine
    if (registryState !== 'usable') {
      return this.uncounted(transit, charges, recipients, `registry-${registryState}`)
    }
    // The client went away: Haraka does not take the message any more (plugins.js, run_next_hook).
    if (transit.hasEnded) return undefined
    const proof = await this.prove(transit, snapshot, this.means.config().forwarded.arcSealers)
    if (transit.hasEnded) return undefined
    if (proof.kind === 'none' && proof.reason === 'no turn') {
      // Unlike Redis, this is what a client can bring about: it never opens a way around the allowance.
      const passes = modeOf(snapshot, this.means.config()) !== 'enforce'
      return this.uncounted(transit, charges, recipients, NO_TURN, passes)
    }
    if (proof.kind === 'none' && this.refusesForeign(transit, snapshot)) {
      transit.refused += recipients.length
      this.means.report.refused(connection, transit, 'foreign')
      return REPLIES.foreign
    }
    return this.count(connection, transit, snapshot, { engine, charges, recipients, proof })
  }

  private refusesForeign({ standing }: Transit, snapshot: Snapshot): boolean {
    const config = this.means.config()
    return modeOf(snapshot, config) === 'enforce' && isRefusedForeign(standing, config)
  }

  private async count(
    connection: Connection,
    transit: Transit,
    snapshot: Snapshot,
    message: Message,
  ): Promise<Answer> {
    const { engine, charges, recipients, proof } = message
    const { tenant, sender } = recipients[0]!
    const signatures = proof.kind === 'none' ? [] : proof.signatures
    const settlement: Settlement = {
      ...{ tenant, ...sender, transaction: transit.transaction.uuid },
      meter: proof.kind === 'none' ? 'unregistered' : 'forwarded',
      provenOnly: this.refusesForeign(transit, snapshot),
      ...{ ordinals: recipients.map(({ ordinal }) => ordinal), signatures },
    }
    for (const each of recipients) each.signatures = signatures
    let result: SettlementResult
    try {
      result = await engine.ledger.settle(settlement, this.means.defaults())
    } catch (error) {
      this.means.troubles.tell('charge', error)
      const reason = redisFailure(error)
      if (engine.store.changedNothing(error)) {
        return this.uncounted(transit, charges, recipients, reason)
      }
      // Its charge stands where it was made and the message is taken. What is held is settled when that is known.
      charges.closeAll(
        recipients.filter(({ state }) => state === 'pending'),
        'unknown',
      )
      return uncounted(this.means, transit, recipients.length, reason)
    }
    this.means.troubles.over('charge')
    engine.charged(tenant, result, snapshot.stateToken)
    return this.counted(connection, transit, message, result)
  }

  private counted(
    connection: Connection,
    transit: Transit,
    { charges, recipients, proof }: Message,
    result: SettlementResult,
  ): Answer {
    const { answer } = result
    const isCounted = answer === 'CHARGED' || answer === 'FORWARDED'
    if (isCounted || answer === 'TRIPPED')
      charges.closeAll(recipients, isCounted ? 'counted' : 'none')
    // Nothing was done with them: their holds must not wait for the message to end.
    else charges.drop(recipients)
    const outcome = outcomeOf(result, this.means.config())
    if (proof.kind !== 'none' && result.meter === 'forwarded' && DECIDED.has(answer)) {
      transit.isForwarded()
    }
    if (answer === 'REGISTERED') transit.isRegistered = true
    if (isCounted) {
      this.means.report.settled(connection, transit, recipients.length, result, proof)
    } else if (answer === 'TRIPPED') {
      transit.refused += recipients.length
      this.means.report.tripped(connection, transit, result, connection.remote.ip)
    } else if (outcome.token === 'undecidable') {
      const reason = `settle ${answer.toLowerCase()}`
      return uncounted(this.means, transit, recipients.length, reason)
    } else if (outcome.reply) {
      if (outcome.verdict === 'refuse') transit.refused += recipients.length
      else transit.deferred += recipients.length
      this.means.report.refused(connection, transit, outcome.token)
    }
    return outcome.reply
  }

  /** Nothing was done with them, and nothing is to be done any more. */
  private uncounted(
    transit: Transit,
    charges: Charges,
    recipients: readonly RecipientCharge[],
    reason: string,
    passes?: boolean,
  ): Answer {
    charges.drop(recipients)
    return uncounted(this.means, transit, recipients.length, reason, passes)
  }
}

async function knownOrLoaded(engine: Engine, tenant: string): Promise<Snapshot | undefined> {
  const { directory } = engine
  try {
    return directory.peek(tenant) ?? (await within(LOAD_DEADLINE, directory.load(tenant)))
  } catch {
    return undefined
  }
}
