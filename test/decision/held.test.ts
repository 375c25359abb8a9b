import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Address } from 'address-rfc2821'
import { withPause } from '../../src/enforcement/in-effect'
import type { TenantMode } from '../../src/mail/mode'
import { parseConfig, type Config } from '../../src/process/config'
import { queuedClass } from '../../src/decision/classify'
import { isHeld } from '../../src/decision/held'
import type { MailClass } from '../../src/mail/classes'
import type { Snapshot } from '../../src/directory/snapshot'
import { acceptedDomains } from '../support/judgement'

const CLASSES: MailClass[] = ['registered', 'unregistered', 'foreign', 'forwarded', 'null']
const NOON = Date.parse('2026-11-26T12:00:00Z')
const enforced = { mode: undefined, restricted: 'unregistered', restrictedBy: 'automatic' } as const
const config = (raw: Record<string, Record<string, string>> = {}) =>
  parseConfig({ restriction: { queued: 'hold' }, ...raw }, '/nowhere').config
const held = (tenant: TenantMode, settings: Config, queuedAt = NOON): string[] =>
  CLASSES.filter((each) => isHeld(each, tenant, queuedAt, settings))

describe('mail held in the queue of a restricted tenant', () => {
  it('is mail that would be refused now', () => {
    assert.deepEqual(held(enforced, config()), ['unregistered', 'foreign', 'forwarded'])
    const accept = config({ forwarded: { when_restricted: 'accept' } })
    assert.deepEqual(held(enforced, accept), ['unregistered', 'foreign'])
    assert.deepEqual(held({ ...enforced, restricted: 'all' }, config()), CLASSES)
  })

  it('is none without a restriction, without queued=hold, outside enforce and under an override', () => {
    assert.deepEqual(held({ ...enforced, restricted: undefined }, config()), [])
    assert.deepEqual(held(enforced, config({ restriction: { queued: 'deliver' } })), [])
    assert.deepEqual(held({ ...enforced, mode: 'monitor' }, config()), [])
    assert.deepEqual(held({ ...enforced, mode: 'off' }, config()), [])
    assert.deepEqual(held(enforced, config({ main: { mode: 'monitor' } })), [])
    for (const override of ['monitor', 'off']) {
      assert.deepEqual(held(enforced, config({ main: { override } })), [], override)
    }
  })

  it('goes on waiting in a pause, while what is accepted in it is delivered', () => {
    const pause = { since: NOON, until: NOON + 3_600_000, everything: false }
    const [paused, all] = [false, true].map((everything) =>
      withPause(config(), { ...pause, everything }),
    )
    const waits = ['unregistered', 'foreign', 'forwarded']
    const placed = { ...enforced, restrictedBy: 'ann' }
    assert.deepEqual(held(enforced, paused!, NOON - 1), waits)
    assert.deepEqual(held(enforced, paused!, NOON), [])
    assert.deepEqual(held(placed, paused!, NOON - 1), waits)
    assert.deepEqual(held(placed, paused!, NOON), waits)
    assert.deepEqual(held({ ...placed, mode: 'monitor' }, paused!, NOON), [])
    for (const tenant of [enforced, placed]) assert.deepEqual(held(tenant, all!, NOON - 1), [])
  })
})

describe('the class of queued mail', () => {
  const snapshot = {
    tenant: 'contoso',
    domains: acceptedDomains({ 'contoso.com': '-' }),
  } as unknown as Snapshot
  const at = (domain: string): Address => new Address(`<x@${domain}>`)

  it('is the class at arrival, or registered where its domain has been registered since', () => {
    assert.equal(queuedClass('unregistered', at('other.example'), snapshot), 'unregistered')
    assert.equal(queuedClass('foreign', at('other.example'), snapshot), 'foreign')
    assert.equal(queuedClass('unregistered', at('contoso.com'), snapshot), 'registered')
    assert.equal(queuedClass('registered', at('removed.example'), snapshot), 'registered')
  })

  it('is derived as far as possible where it was unknown at arrival', () => {
    assert.equal(queuedClass('unknown', at('contoso.com'), snapshot), 'registered')
    assert.equal(queuedClass('unknown', at('other.example'), snapshot), 'unknown')
    assert.equal(queuedClass('unknown', new Address('<>'), snapshot), 'null')
  })
})
