import type { Attributed, Attribution } from '../../src/decision/attribution'
import { Charges, type Refund, type ChargeLater } from '../../src/allowance/charges'
import {
  byHeaderFrom,
  mayBeOwned,
  ownedBy,
  provenForward,
  UNKNOWN_SENDER,
  type SenderStanding,
} from '../../src/decision/classify'
import { isOwn } from '../../src/decision/judge'
import type { Known } from '../../src/directory/snapshot'
import { CLASSES } from '../../src/mail/classes'
import type { EnvelopeDomain } from '../../src/names/envelope'
import { setNote } from '../../src/outbound/note'
import type { MessageOutcome } from '../../src/reporting/outcome'
import type { EnvelopeRecipient, HarakaTransaction } from '../kit/haraka'
import { LastSender, type SenderFacts } from './last-sender'
import {
  compareRecipients,
  isAccepted,
  isMessageAccepted,
  mayBeAccepted,
  recipientResults,
  Recipients,
  type Comparison,
} from './recipients'

/** Finds the owner of a domain; null: none. A promise where it must ask Redis. */
export type FindOwner = (domain: string, tenant: string) => string | null | Promise<string | null>

const UNDECIDABLE: Attribution = { kind: 'undecidable' }

/** One mail transaction of a session, from MAIL to its end. The methods are in the order in which they are called. */
class MailTransaction {
  /** The session's tenant and connector. */
  attribution: Attribution = UNDECIDABLE
  snapshot: Known
  sender: SenderStanding = UNKNOWN_SENDER
  /** Resolves when the owner of the sender domain is known or the search has failed; `undefined`: no search runs. */
  findingOwner: Promise<void> | undefined
  /** Redis found the sender domain among the accepted domains: it was registered after this process loaded the tenant. */
  isRegistered = false

  /** Recipients that passed without a charge. */
  uncharged = 0
  /** Recipients that this plugin has refused, and deferred. */
  refused = 0
  deferred = 0
  /** `undefined` until the first recipient is charged. */
  charges: Charges | undefined

  /** From {@link end} on: recipients that got the message, and recipients that had passed and did not get it. */
  accepted = 0
  refunded = 0
  /** From {@link end} on: recipients that got the message, that count, and that this plugin's rcpt_ok has not seen. */
  unseen = 0
  /** From {@link end} on; `undefined`: this plugin has decided nothing of it. */
  message: MessageOutcome | undefined
  hasEnded = false

  private readonly envelopeDomain: EnvelopeDomain
  private stoppedAtMail: 'refused' | 'deferred' | undefined
  private isSkipped = false
  private chargedFor: Attribution | undefined
  private ownerSoughtFor: SenderStanding | undefined
  /** The configuration under which it passes to all recipients; see {@link passes}. */
  private passesUnder: unknown
  private commands: Recipients | undefined
  /** This many of `rcpt_to` passed before {@link commands} was needed: most mail never needs it. */
  private passedUnseen = 0
  private isDeciding = false
  private ending: AbortController | undefined

  /** @param last what was found for the session's transaction before. */
  constructor(
    readonly haraka: HarakaTransaction,
    private readonly last = new LastSender(),
  ) {
    this.envelopeDomain = last.domainOf(haraka.mail_from)
  }

  // MAIL, and again at each RCPT, since AUTH may come in between: who sends?

  /** Binds the class of the sender to the facts that it depends on. Costs nothing while they are the same. */
  setSender(attribution: Attribution, snapshot: Known): void {
    if (attribution === this.attribution && snapshot === this.snapshot) return
    this.attribution = attribution
    this.snapshot = snapshot
    this.passesUnder = undefined
    if (attribution.kind !== 'attributed') {
      this.sender = UNKNOWN_SENDER
      setNote(this.haraka.notes, undefined)
      return
    }
    this.sender = this.last.standingFor(this.envelopeDomain, snapshot)
    this.note(attribution)
  }

  /** Whether it was judged under this configuration, and passes to all recipients. */
  passes(config: object): boolean {
    return this.passesUnder === config
  }

  /** See {@link passes}: until its sender changes. */
  markPassing(config: object): void {
    this.passesUnder = config
  }

  /**
   * Finds out whether another tenant owns the domain of the sender; once for each sender. While that is unknown the class
   * of the sender stays.
   *
   * @returns `undefined`: it is known now; else a promise that never rejects.
   */
  resolveOwner(find: FindOwner): Promise<void> | undefined {
    const { sender, attribution } = this
    if (!mayBeOwned(sender)) return undefined
    if (this.ownerSoughtFor === sender || attribution.kind !== 'attributed') return undefined
    this.ownerSoughtFor = sender
    const { tenant } = attribution
    const owner = find(sender.domain!, tenant)
    if (owner instanceof Promise) return this.awaitOwner(owner, tenant)
    this.reclassify(ownedBy(sender, owner, tenant))
    return undefined
  }

  private awaitOwner(owner: Promise<string | null>, tenant: string): Promise<void> {
    const { sender } = this
    const finding = owner
      .then(
        (found) => {
          if (this.sender === sender) this.reclassify(ownedBy(sender, found, tenant))
        },
        // The charge that follows logs what is wrong with Redis.
        () => {},
      )
      .finally(() => {
        if (this.findingOwner === finding) this.findingOwner = undefined
      })
    this.findingOwner = finding
    return finding
  }

  private reclassify(sender: SenderStanding): void {
    if (sender === this.sender) return
    this.sender = sender
    this.passesUnder = undefined
    if (this.attribution.kind === 'attributed') this.note(this.attribution)
  }

  private note(attribution: Attributed): void {
    setNote(this.haraka.notes, this.last.noteOf(attribution, this.sender.class))
  }

  get facts(): SenderFacts {
    return this.last.factsOf(this.attribution, this.sender.domain)
  }

  // MAIL and RCPT: what is answered?

  /** The answer to MAIL ends the transaction. */
  stopAtMail(outcome: 'refused' | 'deferred'): void {
    this.stoppedAtMail = outcome
  }

  refuse(recipients = 1): void {
    this.refused += recipients
  }

  defer(recipients = 1): void {
    this.deferred += recipients
  }

  passUncharged(recipients = 1): void {
    this.uncharged += recipients
  }

  /** This plugin has nothing to do with the transaction. @returns whether that is new. */
  skip(): boolean {
    if (this.isSkipped) return false
    return (this.isSkipped = true)
  }

  /** Recipients were charged. @returns whether they are the first of this tenant and connector. */
  markCharged(): boolean {
    const { attribution } = this
    if (this.chargedFor === attribution) return false
    this.chargedFor = attribution
    return true
  }

  markRegistered(): void {
    this.isRegistered = true
  }

  /** The recipients of the RCPT command that is being answered; never empty. */
  offered(): readonly EnvelopeRecipient[] {
    return this.recipients.ofThisCommand()
  }

  /** Where nothing of a command counts: lets it pass without looking at its recipients. */
  passCommand(): void {
    if (this.commands) this.commands.pass(this.commands.ofThisCommand())
    else this.passedUnseen = this.haraka.rcpt_to.length
  }

  /** Lets all recipients of a command pass, or takes all of them out. */
  answerCommand(command: readonly EnvelopeRecipient[], passes: boolean): void {
    if (passes) this.recipients.pass(command)
    else this.recipients.takeOut(command)
  }

  openCharges(refund: Refund, chargeLater: ChargeLater): Charges {
    return (this.charges ??= new Charges(this.haraka.uuid, refund, chargeLater))
  }

  private get recipients(): Recipients {
    return (this.commands ??= new Recipients(this.haraka, this.passedUnseen))
  }

  // The end of DATA: what is the message?

  /** Removes recipients that another plugin has refused and that Haraka has left in `rcpt_to`. */
  dropRefused(): void {
    this.commands?.dropRefused()
  }

  /** Haraka waits for this answer to data_post or queue: until then it does not accept the message. */
  async decide<T>(answer: Promise<T>): Promise<T> {
    this.isDeciding = true
    try {
      return await answer
    } finally {
      this.isDeciding = false
    }
  }

  /** Aborts when the transaction ends: what is being read for it is of no use then. */
  get endSignal(): AbortSignal {
    return (this.ending ??= new AbortController()).signal
  }

  markForwarded(): void {
    this.reclassify(provenForward(this.sender))
  }

  /**
   * Registered mail counts as unregistered, because of its header From.
   *
   * @param domain named in From; empty: none.
   * @param recipients that passed uncharged and will be charged.
   */
  countInstead(domain: string, recipients: number): void {
    this.reclassify(byHeaderFrom(domain))
    this.commands = new Recipients(this.haraka, this.haraka.rcpt_to.length)
    this.uncharged = Math.max(0, this.uncharged - recipients)
  }

  // The end: who got the message?

  /** Whether the message was, or may have been, accepted for the recipient of a charge, as far as that is known now. */
  mayBeAccepted(comparison = this.compare()): ReturnType<typeof mayBeAccepted> {
    return this.isDeciding && this.hasEnded ? () => false : mayBeAccepted(this.haraka, comparison)
  }

  /** Refunds recipients that certainly did not get the message, and counts what happened to all of them; once. */
  end(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.ending?.abort()
    const { charges, haraka, sender } = this
    const counts = CLASSES[sender.class].meter !== undefined
    if (charges || (counts && isMessageAccepted(haraka))) {
      const comparison = this.compare()
      const wasAccepted = this.mayBeAccepted(comparison)
      if (counts && !this.isDeciding) this.unseen = this.unseenIn(comparison)
      this.accepted = this.unseen
      if (charges) {
        const { accepted, refunded } = charges.settle(wasAccepted)
        this.accepted += accepted
        this.refunded = refunded
      }
    }
    if (this.uncharged > 0) {
      // Other plugins may have refused some of them later.
      const left = isMessageAccepted(haraka) ? haraka.rcpt_to.length : 0
      const accepted = Math.min(this.uncharged, left)
      this.accepted += accepted
      this.refunded += this.uncharged - accepted
    }
    this.message = this.outcome()
  }

  private compare(): Comparison {
    return compareRecipients(this.haraka, this.recipients.passed)
  }

  /** Own recipients are free, and an added one may have replaced one that is charged. */
  private unseenIn({ missing, added }: Comparison): number {
    const { snapshot, haraka } = this
    if (added.length === 0 || !snapshot || !isMessageAccepted(haraka)) return 0
    const answers = recipientResults(haraka)
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
    return this.stoppedAtMail
  }
}

/** All others only read its fields: its own methods alone write them. */
export type Transaction = Readonly<MailTransaction>
export const Transaction: new (haraka: HarakaTransaction, last?: LastSender) => Transaction =
  MailTransaction
