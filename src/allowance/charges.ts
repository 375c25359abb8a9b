import type { Charge, MessageCharge } from './ledger'
import { grouped } from '../base/lists'
import type { HarakaAddress } from '../names/envelope'

/**
 * What became of a recipient's charge: asked for and not answered yet; counted; held until the message is there, or perhaps
 * held; perhaps counted (Redis gave no answer); not counted.
 */
export type ChargeState = 'pending' | 'counted' | 'held' | 'unknown' | 'none'

/** Whose recipient it is, as the trigger of a restriction shows it. */
export type Sender = Pick<MessageCharge, 'domain' | 'connector' | 'ip'>

/** One recipient of a transaction that was to be counted. */
export interface RecipientCharge {
  readonly tenant: string
  /** What counts it, until its message is proven to be a forward. */
  readonly meter: Charge['meter']
  /** Its place among the charges of the transaction; with the transaction's uuid it names the receipt. */
  readonly ordinal: number
  readonly recipient: HarakaAddress
  /** How many RCPT commands of the transaction were answered before the one that it came with. */
  readonly rank: number
  state: ChargeState
  /** It was let through, counted or not. */
  passes: boolean
  readonly sender: Sender
  /** What has proven it to be one of a forward. */
  signatures: readonly string[]
}

/** Gives recipients back, with what had proven them to be those of a forward; must neither throw nor wait. */
export type Refund = (
  tenant: string,
  transaction: string,
  ordinals: readonly number[],
  signatures?: readonly string[],
) => void

/**
 * Charges recipients in the background, when no client waits for the answer any more; must neither throw nor wait.
 *
 * @param recipients that are still held.
 */
export type ChargeLater = (
  charges: Charges,
  message: MessageCharge,
  recipients: readonly RecipientCharge[],
) => void

const NONE: readonly string[] = []
const NO_RECIPIENTS: readonly RecipientCharge[] = []

/** The charges of one transaction, from RCPT to their settlement. */
export class Charges {
  private readonly charges: RecipientCharge[] = []
  private settled = false

  /** @param transaction Haraka's transaction uuid. */
  constructor(
    readonly transaction: string,
    private readonly refund: Refund,
    private readonly chargeLater: ChargeLater,
  ) {}

  /** Opens the charge of a recipient; {@link close} must follow. */
  open(
    tenant: string,
    meter: Charge['meter'],
    recipient: HarakaAddress,
    rank: number,
    sender: Sender,
  ): RecipientCharge {
    const ordinal = this.charges.length + 1
    const charge: RecipientCharge = {
      ...{ tenant, meter, ordinal, recipient, rank, sender },
      ...{ state: 'pending', passes: false, signatures: NONE },
    }
    this.charges.push(charge)
    return charge
  }

  /** The recipients that there are charges of. */
  recipients(): Set<HarakaAddress> {
    return new Set(this.charges.map(({ recipient }) => recipient))
  }

  /**
   * Says what became of a charge. Where the transaction has been settled meanwhile (the client went away during the
   * question), it is given back here.
   */
  close(charge: RecipientCharge, state: Exclude<ChargeState, 'pending'>): void {
    charge.state = state
    if (this.settled) this.giveBack([charge])
  }

  /** As {@link close}, for all recipients of a message: what is to be given back goes at once. */
  closeAll(charges: readonly RecipientCharge[], state: Exclude<ChargeState, 'pending'>): void {
    for (const charge of charges) charge.state = state
    if (this.settled) this.giveBack(charges)
  }

  /**
   * Gives charges back, all of a tenant at once: their recipients have been refused, perhaps after they were counted. For
   * one that was asked for and certainly not made, there is nothing to wait for any more.
   */
  drop(charges: readonly RecipientCharge[]): void {
    this.giveBack(charges)
    for (const charge of charges) charge.state = 'none'
  }

  /**
   * Those that are to be charged when the message is there, or perhaps are: by tenant, those that were let through only.
   * The null sender's are charged at RCPT or not at all.
   */
  held(): readonly [tenant: string, charges: RecipientCharge[]][] {
    if (!this.charges.some(({ state }) => state === 'held')) return []
    const open = this.charges.filter(
      ({ meter, passes, state }) =>
        meter !== 'null' && passes && (state === 'held' || state === 'unknown'),
    )
    return grouped(open, ({ tenant }) => tenant)
  }

  /**
   * Gives back what was certainly not taken, and charges what was taken while it was held, as unregistered unless
   * something has proven it; once.
   *
   * @param wasTaken whether the message was, or may have been, taken for this recipient.
   */
  settle(wasTaken: (charge: RecipientCharge) => boolean): void {
    if (this.settled) return
    this.settled = true
    const left = this.charges.filter((charge) => !wasTaken(charge))
    if (left.length > 0) this.giveBack(left)
    this.chargeHeld()
  }

  /**
   * The message may have been taken before we saw it, since another plugin's answer to data_post came first; or while Redis
   * gave no answer, where it then passes: what it has counted by then stands.
   */
  private chargeHeld(): void {
    for (const [tenant, charges] of this.held()) {
      for (const charge of charges) charge.state = 'counted'
      const { sender } = charges[0]!
      const signatures = this.signatures(charges)
      const message: MessageCharge = {
        ...{ tenant, transaction: this.transaction, ...sender, signatures },
        meter: signatures.length > 0 ? 'forwarded' : 'unregistered',
        ordinals: charges.map(({ ordinal }) => ordinal),
      }
      this.chargeLater(this, message, charges)
    }
  }

  /**
   * Charges recipients that the message has been taken for and that nobody has asked us about, as what it was charged as
   * at its end; once, after {@link settle}.
   */
  chargeAccepted(tenant: string, meter: Charge['meter'], recipients: number, sender: Sender): void {
    const signatures = this.signatures(this.charges)
    const message: MessageCharge = {
      ...{ tenant, transaction: this.transaction, ...sender, signatures },
      meter: meter !== 'null' && signatures.length > 0 ? 'forwarded' : meter,
      ...{ ordinals: [this.charges.length + 1], accepted: recipients },
    }
    this.chargeLater(this, message, NO_RECIPIENTS)
  }

  private signatures(charges: readonly RecipientCharge[]): readonly string[] {
    return charges.find(({ signatures }) => signatures.length > 0)?.signatures ?? NONE
  }

  /**
   * How many recipients were let through and taken, and how many were not taken; of a charge that is on its way it will be
   * seen that nobody waits for it any more.
   *
   * @param wasTaken as in {@link settle}.
   */
  passed(wasTaken: (charge: RecipientCharge) => boolean): { taken: number; notTaken: number } {
    let taken = 0
    let notTaken = 0
    for (const charge of this.charges) {
      if (charge.passes && wasTaken(charge)) taken++
      else if (charge.passes || charge.state === 'pending') notTaken++
    }
    return { taken, notTaken }
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
      // All of a message have the same.
      this.refund(tenant, this.transaction, ordinals, back[0]!.signatures)
    }
  }
}
