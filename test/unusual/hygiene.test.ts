import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DAY } from '../../src/reporting/calendar'
import type { ConnectorUse } from '../../src/reporting/reader'
import type { Connector } from '../../src/mail/tenant'
import { findUntidy } from '../../src/unusual/hygiene'
import { NOW } from './scenario'

const EDGE: Connector = {
  ...{ tenant: 'contoso', name: 'edge', enabled: true, addedBy: 'ann' },
  ...{ ip: ['192.0.2.1/32'], cert: [], certSha256: [], auth: [] },
  addedAt: NOW - 400 * DAY,
}
const KNOWN = NOW - 365 * DAY

function lookAt(
  connector: Partial<Connector>,
  use?: Partial<ConnectorUse>,
  knownSince = KNOWN,
): string[] {
  const seen = { first: KNOWN, last: NOW, certificateExpires: undefined, ...use }
  const found = findUntidy([{ ...EDGE, ...connector }], {
    now: NOW,
    knownSince,
    seen: new Map(use ? [['edge', seen]] : []),
  })
  return found.map(({ connector, what, words }) => `${connector} ${what}: ${words}`)
}

describe('findUntidy', () => {
  it('finds nothing about a connector in use', () => {
    assert.deepEqual(lookAt({}, {}), [])
    assert.deepEqual(lookAt({}, { last: NOW - 89 * DAY, certificateExpires: NOW + 30 * DAY }), [])
  })

  it('finds a connector that was long unused', () => {
    assert.deepEqual(lookAt({}, { last: NOW - 90 * DAY }), [
      'contoso/edge unused: not used for 90 days, last on 2025-08-26: remove it',
    ])
  })

  it('finds a connector never used, unless it is new or recording is', () => {
    assert.deepEqual(lookAt({ addedAt: NOW - 30 * DAY }), [
      'contoso/edge never_used: never used since it was added on 2025-10-25: remove it',
    ])
    assert.deepEqual(lookAt({}), [
      'contoso/edge never_used: never used since mail is recorded, from 2024-11-24 on: remove it',
    ])
    assert.deepEqual(lookAt({ addedAt: NOW - 29 * DAY }), [])
    assert.deepEqual(lookAt({}, undefined, NOW - 29 * DAY), [])
  })

  it('finds a certificate that expires soon, or has expired', () => {
    assert.deepEqual(lookAt({}, { certificateExpires: NOW + 12.5 * DAY }), [
      'contoso/edge certificate_expires: its last certificate expires in 12 days, on 2025-12-07: its server needs a new one',
    ])
    assert.deepEqual(lookAt({}, { certificateExpires: NOW - DAY }), [
      'contoso/edge certificate_expired: its last certificate expired on 2025-11-23: its server needs a new one',
    ])
  })

  it('finds a connector long disabled or blocked, and nothing else about it', () => {
    const old = { last: NOW - 200 * DAY, certificateExpires: NOW - DAY }
    const changedAt = NOW - 30 * DAY
    assert.deepEqual(lookAt({ enabled: false, changedAt }, old), [
      'contoso/edge disabled: disabled since 2025-10-25: remove it, or enable it',
    ])
    assert.deepEqual(lookAt({ enabled: false, changedAt: NOW - DAY }, old), [])
    const blocked = { by: 'ann', reason: 'taken over', since: NOW - 40 * DAY }
    assert.deepEqual(lookAt({ blocked }, old), [
      'contoso/edge blocked: blocked since 2025-10-15: remove it, or unblock it',
    ])
    assert.deepEqual(lookAt({ blocked: { ...blocked, since: NOW - DAY } }, old), [])
  })
})
