/**
 * What became of a recipient's charge: asked for and not answered yet; counted; perhaps counted (Redis gave no
 * answer); not counted.
 */
export type ChargeState = 'pending' | 'counted' | 'unknown' | 'none'

/** One recipient of a transaction that was to be counted. */
export interface RecipientCharge {
  readonly tenant: string
  /** Its place among the charges of the transaction; with the transaction's uuid it names the receipt. */
  readonly ordinal: number
  /** How many RCPT commands of the transaction were answered before this one. */
  readonly rank: number
  state: ChargeState
  /** It was let through, counted or not. */
  passes: boolean
}

/** Gives recipients back; must neither throw nor wait. */
export type Refund = (tenant: string, transaction: string, ordinals: readonly number[]) => void

/** The charges of one transaction, from RCPT to their settlement. */
export class Charges {
  private readonly charges: RecipientCharge[] = []
  private settled = false

  /** @param transaction Haraka's transaction uuid. */
  constructor(
    readonly transaction: string,
    private readonly refund: Refund,
  ) {}

  /** Opens the charge of a recipient; {@link close} must follow. */
  open(tenant: string, rank: number): RecipientCharge {
    const ordinal = this.charges.length + 1
    const charge: RecipientCharge = { tenant, ordinal, rank, state: 'pending', passes: false }
    this.charges.push(charge)
    return charge
  }

  /**
   * Says what became of a charge. Where the transaction has been settled meanwhile (the client went away during the
   * question), it is given back here.
   */
  close(charge: RecipientCharge, state: Exclude<ChargeState, 'pending'>): void {
    charge.state = state
    if (this.settled) this.giveBack([charge])
  }

  /** Gives one charge back: its recipient has been refused, perhaps after it was counted. */
  drop(charge: RecipientCharge): void {
    this.giveBack([charge])
  }

  /**
   * Gives back what was certainly not taken; once.
   *
   * @param wasTaken whether the message was, or may have been, taken for this recipient.
   */
  settle(wasTaken: (charge: RecipientCharge) => boolean): void {
    if (this.settled) return
    this.settled = true
    const left = this.charges.filter((charge) => !wasTaken(charge))
    if (left.length > 0) this.giveBack(left)
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

  private giveBack(charges: readonly RecipientCharge[]): void {
    const byTenant = new Map<string, number[]>()
    for (const charge of charges) {
      if (charge.state !== 'counted' && charge.state !== 'unknown') continue
      charge.state = 'none'
      const ordinals = byTenant.get(charge.tenant)
      if (ordinals) ordinals.push(charge.ordinal)
      else byTenant.set(charge.tenant, [charge.ordinal])
    }
    for (const [tenant, ordinals] of byTenant) this.refund(tenant, this.transaction, ordinals)
  }
}
