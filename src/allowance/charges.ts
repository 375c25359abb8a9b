import type { MessageCharge } from './ledger'
import { METERS, PROVEN_METER, type Meter } from '../mail/meters'
import { grouped } from '../base/lists'
import type { HarakaAddress } from '../names/envelope'

/**
 * `pending`: Redis has not answered yet; `counted`; `held`, or perhaps held, until the end of DATA; `unknown`: perhaps
 * counted, since Redis did not answer; `none`: not counted, or refunded.
 */
export type ChargeState = 'pending' | 'counted' | 'held' | 'unknown' | 'none'

/** Who sends to the recipient, as the trigger of a restriction shows it. */
export type Sender = Pick<MessageCharge, 'domain' | 'connector' | 'ip'>

/** A recipient of a transaction that Redis was asked to count. */
export interface RecipientCharge {
  readonly tenant: string
  /** The meter that counts it, unless its message is proven to be a forward. */
  readonly meter: Meter
  /** Numbers the charges of the transaction from 1; with the transaction's uuid it names the receipt. */
  readonly ordinal: number
  readonly recipient: HarakaAddress
  /** How many RCPT commands of the transaction were answered before the one that it came with. */
  readonly rank: number
  state: ChargeState
  /** This plugin accepts it, counted or not. */
  passes: boolean
  readonly sender: Sender
  /** Prove that its message is a forward. */
  signatures: readonly string[]
}

/** Refunds recipients, and their signatures as proofs of a forward; must neither throw nor wait. */
export type Refund = (
  tenant: string,
  transaction: string,
  ordinals: readonly number[],
  signatures?: readonly string[],
) => void

/**
 * Charges recipients in the background, when no client waits for the answer; must neither throw nor wait.
 *
 * @param recipients that are still held.
 */
export type ChargeLater = (
  charges: Charges,
  message: MessageCharge,
  recipients: readonly RecipientCharge[],
) => void

/** What has become of the recipients that were charged. */
interface Settled {
  readonly accepted: number
  readonly refunded: number
}

const NONE: readonly string[] = []
const NOTHING: Settled = { accepted: 0, refunded: 0 }
const NO_RECIPIENTS: readonly RecipientCharge[] = []

/** The charges of one transaction, from RCPT to its end. */
export class Charges {
  private readonly charges: RecipientCharge[] = []
  private settled = false

  /** @param transaction uuid of Haraka's transaction. */
  constructor(
    readonly transaction: string,
    private readonly sendRefund: Refund,
    private readonly chargeLater: ChargeLater,
  ) {}

  /** Opens the charge of a recipient; {@link close} must follow. */
  open(
    tenant: string,
    meter: Meter,
    recipient: HarakaAddress,
    rank: number,
    sender: Sender,
  ): RecipientCharge {
    const ordinal = this.charges.length + 1
    // No spreads: they made an object that is slow to build and slow to write, for every recipient.
    const charge: RecipientCharge = {
      tenant,
      meter,
      ordinal,
      recipient,
      rank,
      sender,
      state: 'pending',
      passes: false,
      signatures: NONE,
    }
    this.charges.push(charge)
    return charge
  }

  /** The recipients that have a charge. */
  recipients(): Set<HarakaAddress> {
    return new Set(this.charges.map(({ recipient }) => recipient))
  }

  /**
   * Sets the state of charges that Redis has answered, or not. Where the transaction has ended meanwhile (the client
   * disconnected before the answer), they are refunded here.
   */
  close(charges: readonly RecipientCharge[], state: Exclude<ChargeState, 'pending'>): void {
    for (const charge of charges) charge.state = state
    if (this.settled) this.giveBack(charges)
  }

  /**
   * Refunds charges, all of a tenant at once: their recipients have been refused, or nothing has been counted for them. A
   * charge that Redis certainly did not make costs no command.
   */
  refund(charges: readonly RecipientCharge[]): void {
    this.giveBack(charges)
    for (const charge of charges) charge.state = 'none'
  }

  /**
   * Those that are charged at the end of DATA, or perhaps are, by tenant; only of recipients that were accepted. A meter that
   * holds nothing charges its recipients at RCPT or not at all.
   */
  held(): readonly [tenant: string, charges: RecipientCharge[]][] {
    if (!this.charges.some(({ state }) => state === 'held')) return []
    const open = this.charges.filter(
      ({ meter, passes, state }) =>
        METERS[meter].held && passes && (state === 'held' || state === 'unknown'),
    )
    return grouped(open, ({ tenant }) => tenant)
  }

  /**
   * At the end of the transaction: refunds recipients that certainly did not get the message, and charges those that got it
   * while they were held, as a forward where a signature proves one; once.
   *
   * @param wasAccepted whether the message was, or may have been, accepted for this recipient.
   * @returns how many recipients got the message, and how many had passed and did not. A pending charge counts as
   *   refunded: it will be when Redis answers.
   */
  settle(wasAccepted: (charge: RecipientCharge) => boolean): Settled {
    if (this.settled) return NOTHING
    this.settled = true
    let accepted = 0
    let refunded = 0
    // Of most messages all recipients were charged and got it: nothing is left.
    let left: RecipientCharge[] | undefined
    for (const charge of this.charges) {
      const isAccepted = wasAccepted(charge)
      if (charge.passes && isAccepted) accepted++
      else if (charge.passes || charge.state === 'pending') refunded++
      if (!isAccepted) (left ??= []).push(charge)
    }
    if (left) this.giveBack(left)
    this.chargeHeld()
    return { accepted, refunded }
  }

  /**
   * The message was accepted before this plugin saw its end, since another plugin answered data_post first; or it passed
   * while Redis did not answer. What Redis has counted by then stays counted.
   */
  private chargeHeld(): void {
    for (const [tenant, charges] of this.held()) {
      for (const charge of charges) charge.state = 'counted'
      const { sender, meter } = charges[0]!
      const signatures = this.signatures(charges)
      const message: MessageCharge = {
        ...{ tenant, transaction: this.transaction, ...sender, signatures },
        ...countedOn(meter, signatures),
        ordinals: charges.map(({ ordinal }) => ordinal),
      }
      this.chargeLater(this, message, charges)
    }
  }

  /**
   * Charges recipients that got the message and that this plugin's rcpt_ok has not seen, on the meter of the message; once,
   * after {@link settle}.
   */
  chargeAccepted(tenant: string, meter: Meter, recipients: number, sender: Sender): void {
    const signatures = this.signatures(this.charges)
    const message: MessageCharge = {
      ...{ tenant, transaction: this.transaction, ...sender, signatures },
      ...countedOn(meter, signatures),
      ...{ ordinals: [this.charges.length + 1], accepted: recipients },
    }
    this.chargeLater(this, message, NO_RECIPIENTS)
  }

  private signatures(charges: readonly RecipientCharge[]): readonly string[] {
    return charges.find(({ signatures }) => signatures.length > 0)?.signatures ?? NONE
  }

  /** How many of the charges are such. */
  count(isSuch: (charge: RecipientCharge) => boolean): number {
    return this.charges.filter(isSuch).length
  }

  private giveBack(charges: readonly RecipientCharge[]): void {
    const made = charges.filter(({ state }) => state !== 'pending' && state !== 'none')
    for (const charge of made) charge.state = 'none'
    for (const [tenant, back] of grouped(made, (charge) => charge.tenant)) {
      const ordinals = back.map(({ ordinal }) => ordinal)
      // All recipients of a message have the same signatures.
      this.sendRefund(tenant, this.transaction, ordinals, back[0]!.signatures)
    }
  }
}

/** What counts a message: the meter of its charges, or that of proven forwards where it may be one and there is a proof. */
export function countedOn(
  meter: Meter,
  signatures: readonly string[],
): Pick<MessageCharge, 'meter' | 'otherwise'> {
  if (!METERS[meter].held || signatures.length === 0) return { meter }
  return { meter: PROVEN_METER, otherwise: meter }
}
