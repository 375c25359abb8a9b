import type { Charge, Defaults, Ledger } from '../src/allowance/ledger'
import { keepInFlight, type Pace } from './in-flight'

/** What counts for a tenant without limits of its own: the windows of the shipped allowance, with room for all. */
export const ROOMY = '100000000/1h, 100000000/1d'

export const DEFAULTS: Defaults = {
  limits: [
    { count: 100_000_000, window: 3_600_000, defer: false },
    { count: 100_000_000, window: 86_400_000, defer: false },
  ],
  nullLimits: [],
  mode: 'enforce',
  override: undefined,
  warnAt: [],
  acceptsForwards: false,
}

/** Charges in flight at a time, over one connection, as the sessions of one process have them. */
export const IN_FLIGHT = 100

/** ms: a charge that waits behind others is still to be made. */
export const PATIENCE = 3_600_000

/**
 * Makes so many charges.
 *
 * @param next the charge of this number
 * @throws Error where one is not counted
 */
export function makeCharges(
  ledger: Ledger,
  calls: number,
  inFlight: number,
  next: (number: number) => Charge,
): Promise<Pace> {
  return keepInFlight(calls, inFlight, async (number) => {
    const { answer } = await ledger.charge(next(number), DEFAULTS)
    if (answer !== 'CHARGED') throw new Error(`a charge was answered ${answer}`)
  })
}
