import { freezeEvidence, type Freezing } from '../../src/cases/freeze'
import { Ledger } from '../../src/allowance/ledger'
import { parseLimits } from '../../src/mail/limits'
import type { RestrictedEvent } from '../../src/records/event'
import type { Store } from '../../src/store/store'

const HOUR = 3_600_000

/** A trip of `contoso` long enough ago for its evidence to be complete. */
export function trip(number: number, more: Partial<RestrictedEvent> = {}): RestrictedEvent {
  return {
    kind: 'restricted',
    id: `evt_${number}`,
    at: Date.now() - 5000,
    scope: 'unregistered',
    by: 'automatic',
    reason: 'allowance of 300/1h exceeded',
    case: `contoso:${number}`,
    trigger: {
      ...{ window: HOUR, limit: 300, used: 300 },
      ...{ domain: 'lure.example', connector: 'contoso/exchange', ip: '192.0.2.10' },
    },
    windows: [
      { window: HOUR, limit: 300, used: 300 },
      { window: 24 * HOUR, limit: 1500, used: 411 },
    ],
    probation: false,
    transaction: 'F.1',
    ...more,
  }
}

/** The values of the default configuration. */
export function freezing(store: Store, more: Partial<Freezing> = {}): Freezing {
  const limits = parseLimits('300/1h, 1500/1d')
  return {
    store,
    ledger: new Ledger(store, 5000),
    config: {
      main: { mode: 'enforce', override: undefined, refuseAt: 'mail' },
      allowance: { limits, warnAt: [] },
      null: { limits },
      forwarded: { enabled: true, whenRestricted: 'refuse', arcSealers: [] },
    },
    flush: () => Promise.resolve(),
    ...more,
  }
}

/** Freezes the evidence of the case of `contoso` with this number, which is its last. */
export async function freeze(
  store: Store,
  event: RestrictedEvent,
  more: Partial<Freezing> = {},
): Promise<string> {
  const number = event.case.slice(event.case.indexOf(':') + 1)
  await store.client.hset(store.keys.tenant('contoso'), 'cases', number)
  return freezeEvidence(freezing(store, more), 'contoso', event)
}
