import { envelopeDomain, type EnvelopeDomain } from '../../src/names/envelope'
import type { Attributed, Attribution } from '../../src/decision/attribution'
import { Charges, type Refund, type SettleLater } from '../../src/allowance/charges'
import { isOwn, standingOf, type SenderClass, type SenderStanding } from '../../src/decision/judge'
import type { MessageOutcome } from '../../src/reporting/outcome'
import { clean } from '../../src/base/safe-text'
import { LONGEST_ID } from '../../src/mail/identities'
import { setNote } from '../../src/outbound/note'
import type { Known } from '../../src/directory/snapshot'
import type { HarakaTransaction } from '../kit/haraka'
import { Recipients } from './recipients'
import {
  compareRecipients,
  isAccepted,
  isMessageTaken,
  mayBeTaken,
  recipientResults,
  type Comparison,
} from './settlement'

/** Who sends, as {@link clean} keys for the results store and the log; `undefined`: not known, or there is none. */
export interface TransitFacts {
  readonly tenant: string | undefined
  readonly connector: string | undefined
  readonly domain: string | undefined
}

const UNDECIDABLE: Attribution = { kind: 'undecidable' }
const UNKNOWN: SenderStanding = { class: undefined, domain: undefined, matched: undefined }

/**
 * One mail transaction on its way through our hooks: what its sender is, by which facts, what was charged, and what became
 * of its recipients.
 */
export class Transit {
  attribution: Attribution = UNDECIDABLE
  snapshot: Known
  standing: SenderStanding = UNKNOWN
  /** Whether it has been said in the results store that this is none of our business. */
  skipped = false
  /** Recipients that were let through without a charge. */
  passed = 0
  /** Recipients that we have answered so. */
  refused = 0
  deferred = 0
  /** What we have answered to MAIL, where that was its end. */
  stopped: 'refused' | 'deferred' | undefined
  /** Redis says that the sender is registered by now. */
  isRegistered = false
  /** The charges, once there is one. */
  charges: Charges | undefined
  /** The recipients by their commands, once there is one that may count. */
  private commands: Recipients | undefined
  /** So many of `rcpt_to` have been let through without looking at them: registered mail, and what is not relayed. */
  private waved = 0
  /** The sender whose owner has been asked for. */
  ownerAskedFor: SenderStanding | undefined
  /** Resolves when that is answered, or not to be known; `undefined`: it is not asked now. */
  findingOwner: Promise<void> | undefined
  /** It waits for an answer of ours to data_post: until then nobody takes the message. */
  isSettling = false
  /** Gives up what is being read for it, when it ends; must not throw. */
  giveUp: (() => void) | undefined
  /** From {@link end} on. */
  accepted = 0
  refunded = 0
  /** Recipients that the message was taken for, that count, and that our rcpt_ok has not seen. */
  unseen = 0
  /** From {@link end} on; `undefined`: nothing of it was ours to answer. */
  message: MessageOutcome | undefined
  private readonly sender: EnvelopeDomain
  private known: TransitFacts | undefined
  private ended = false

  constructor(readonly transaction: HarakaTransaction) {
    this.sender = envelopeDomain(transaction.mail_from)
  }

  /** The client went away, or the transaction was reset, while we waited: nothing may be charged any more. */
  get hasEnded(): boolean {
    return this.ended
  }

  /** Binds the sender's standing to the facts that it comes from. Cheap where they are what they were. */
  stand(attribution: Attribution, snapshot: Known): void {
    if (attribution === this.attribution && snapshot === this.snapshot) return
    this.attribution = attribution
    this.snapshot = snapshot
    this.known = undefined
    if (attribution.kind !== 'attributed') {
      this.standing = UNKNOWN
      setNote(this.transaction.notes, undefined)
      return
    }
    this.standing = standingOf(this.sender, snapshot)
    this.note(attribution)
  }

  /** The message is proven to be a forward. */
  isForwarded(): void {
    this.standAs('forwarded')
  }

  /** Another tenant owns the sender domain. */
  isForeign(owner: string): void {
    this.standAs('foreign', owner)
  }

  /**
   * Registered mail that counts as unregistered, for what its From names.
   *
   * @param domain empty: none.
   */
  countsAs(domain: string): void {
    this.standing = { class: 'unregistered', domain: domain || undefined, matched: undefined }
    this.known = undefined
    if (this.attribution.kind === 'attributed') this.note(this.attribution)
  }

  private standAs(senderClass: SenderClass, owner = this.standing.owner): void {
    this.standing = { ...this.standing, class: senderClass, ...(owner !== undefined && { owner }) }
    if (this.attribution.kind === 'attributed') this.note(this.attribution)
  }

  private note({ tenant, connector }: Attributed): void {
    setNote(this.transaction.notes, {
      tenant,
      connector: connector ?? null,
      class: this.standing.class ?? null,
    })
  }

  /** The same, once the tenant has been asked for. */
  standAfter(attribution: Attribution, snapshot: Promise<Known>): Promise<void> {
    return snapshot.then((found) => this.stand(attribution, found))
  }

  /** Who sends, as far as that is known. */
  get facts(): TransitFacts {
    return (this.known ??= factsOf(this))
  }

  /** The charges of this transaction. */
  chargesWith(refund: Refund, settleLater: SettleLater): Charges {
    this.charges ??= new Charges(this.transaction.uuid, refund, settleLater)
    return this.charges
  }

  /** The recipients, by the RCPT commands that they came with. */
  get recipients(): Recipients {
    return (this.commands ??= new Recipients(this.transaction, this.waved))
  }

  /** The recipient passes without being looked at, and what came with it. */
  wave(): void {
    if (this.commands) this.commands.pass(this.commands.ofThisCommand())
    else this.waved = this.transaction.rcpt_to.length
  }

  /** All recipients that are there are let through: the message is there. */
  passAll(): void {
    this.commands = new Recipients(this.transaction, this.transaction.rcpt_to.length)
  }

  /** Takes out what Haraka leaves of recipients that another plugin has refused. */
  dropRefused(): void {
    this.commands?.dropRefused()
  }

  /** Whether the message was, or may have been, taken for the recipient of a charge, as far as it is known by now. */
  mayBeTaken(comparison = this.compare()): ReturnType<typeof mayBeTaken> {
    return this.isSettling && this.ended ? () => false : mayBeTaken(this.transaction, comparison)
  }

  private compare(): Comparison {
    return compareRecipients(this.transaction, this.recipients.passed)
  }

  /** Settles the charges, and finds what has become of the recipients; once. */
  end(): void {
    if (this.ended) return
    this.ended = true
    this.giveUp?.()
    const { charges, transaction, standing } = this
    const counts = standing.class !== undefined && standing.class !== 'registered'
    if (charges || (counts && isMessageTaken(transaction))) {
      const comparison = this.compare()
      const wasTaken = this.mayBeTaken(comparison)
      if (counts && !this.isSettling) this.unseen = this.unseenIn(comparison)
      this.accepted = this.unseen
      if (charges) {
        const { taken, notTaken } = charges.passed(wasTaken)
        charges.settle(wasTaken)
        this.accepted += taken
        this.refunded = notTaken
      }
    }
    if (this.passed > 0) {
      const isTaken = isMessageTaken(transaction)
      // Others may have refused some afterwards.
      const accepted = isTaken ? Math.min(this.passed, transaction.rcpt_to.length) : 0
      this.accepted += accepted
      this.refunded += this.passed - accepted
    }
    this.message = this.outcome()
  }

  /** Own ones are free, and some may stand for others that were taken out. */
  private unseenIn({ missing, added }: Comparison): number {
    const { snapshot, transaction } = this
    if (added.length === 0 || !snapshot || !isMessageTaken(transaction)) return 0
    const answers = recipientResults(transaction)
    const replaced = this.charges?.count(
      ({ passes, recipient, rank }) =>
        passes && missing.has(recipient) && isAccepted(answers[rank]),
    )
    const counted = added.filter((recipient) => !isOwn(recipient, snapshot)).length
    return Math.max(0, counted - (replaced ?? 0))
  }

  private outcome(): MessageOutcome | undefined {
    if (this.accepted > 0) return 'accepted'
    if (this.refunded > 0) return 'refunded'
    if (this.refused > 0) return 'refused'
    if (this.deferred > 0) return 'deferred'
    return this.stopped
  }
}

function factsOf({ attribution, standing: { domain } }: Transit): TransitFacts {
  if (attribution.kind !== 'attributed') return { tenant: undefined, connector: undefined, domain }
  // A note of another plugin may name any tenant, and who can write to Redis any connector.
  const tenant = clean(attribution.tenant.slice(0, LONGEST_ID))
  const connector = attribution.connector && clean(attribution.connector)
  return { tenant, connector, domain }
}
