import type { Charge, Defaults, Ledger } from '../src/allowance/ledger'
import { parseLimits } from '../src/mail/limits'
import { Times } from './stats'

/** The windows of the shipped allowance, with room for all mail. */
export const ROOMY = '100000000/1h, 100000000/1d'

export const DEFAULTS: Defaults = {
  limits: parseLimits(ROOMY),
  nullLimits: parseLimits(ROOMY),
  mode: 'enforce',
  override: undefined,
  warnAt: [],
  forwards: 'refuse',
}

/** Charges in flight at a time over one connection, as the sessions of one process have them. */
export const IN_FLIGHT = 100

/** ms: a charge that waits for others is still made. */
export const PATIENCE = 3_600_000

/** The speed of calls. */
interface Pace {
  readonly perSecond: number
  readonly times: Times
}

/**
 * Makes `count` calls, always `inFlight` at a time.
 *
 * @param call gets the number of the call, from 0 on
 * @throws the first error of a call
 */
export async function keepInFlight(
  calls: number,
  inFlight: number,
  call: (number: number) => Promise<unknown>,
): Promise<Pace> {
  const times = new Times()
  let number = 0
  const run = async (): Promise<void> => {
    while (number < calls) {
      const begin = performance.now()
      await call(number++)
      times.add(performance.now() - begin)
    }
  }
  const begin = performance.now()
  await Promise.all(Array.from({ length: inFlight }, run))
  return { perSecond: (calls * 1_000) / (performance.now() - begin), times }
}

/**
 * Makes `count` charges.
 *
 * @throws Error for any other answer
 */
export function makeCharges(
  ledger: Ledger,
  calls: number,
  inFlight: number,
  next: (number: number) => Charge,
  expected = 'CHARGED',
): Promise<Pace> {
  return keepInFlight(calls, inFlight, async (number) => {
    const { answer } = await ledger.charge(next(number), DEFAULTS)
    if (answer !== expected) throw new Error(`a charge was answered ${answer}, not ${expected}`)
  })
}

/** One recipient of a tenant. */
export function chargeFor(tenant: string, domainsToken: string, transaction = 'FIRST.1'): Charge {
  return {
    ...{ tenant, transaction, domainsToken, meter: 'unregistered', ordinal: 1 },
    ...{ domain: 'elsewhere.example', connector: `${tenant}/mail`, ip: '192.0.2.1' },
  }
}
