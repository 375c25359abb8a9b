import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatReply, REPLIES, type Reply } from '../../src/decision/reply'

describe('replies', () => {
  it('are these bytes', () => {
    const lines = Object.fromEntries(
      Object.entries(REPLIES).map(([name, reply]: [string, Reply]) => [name, formatReply(reply)]),
    )
    assert.deepEqual(lines, {
      blocked:
        '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains',
      blockedAll: '550 5.7.705 Access denied, tenant has exceeded threshold',
      deferred: '451 4.7.1 Too many recipients from unregistered domains. Try again later',
      nullSenderFull: '451 4.7.1 Too many recipients from the null sender. Try again later',
      oneRecipient: '452 4.5.3 Too many recipients',
      connectorBlocked: '550 5.7.711 Access denied, bad inbound connector',
      foreign: '550 5.7.60 SMTP; Client does not have permissions to send as this sender',
      undecidable: '451 4.3.0 Service temporarily unavailable. Try again later',
      noTenant: '550 5.7.64 TenantAttribution; Relay Access Denied SMTP',
      srsOnlyBounces: '550 5.7.1 This address accepts bounces only',
      srsUnknown: '550 5.1.1 No such SRS address',
      srsExpired: '550 5.4.7 This rewritten sender has expired',
      srsAlone: '451 4.5.3 Send bounces to SRS addresses in a separate transaction',
    })
  })

  it('fit a line of 512 octets (RFC 5321 §4.5.3.1.5)', () => {
    for (const reply of Object.values(REPLIES)) {
      assert.match(formatReply(reply), /^[\x20-\x7e]{1,510}$/)
    }
  })
})
