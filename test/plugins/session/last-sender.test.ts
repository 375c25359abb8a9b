import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LastSender } from '../../../plugins/session/last-sender'
import type { Attributed } from '../../../src/decision/attribution'
import { standingOf } from '../../../src/decision/classify'
import type { Snapshot } from '../../../src/directory/snapshot'
import { CLASSES, type MailClass } from '../../../src/mail/classes'
import { envelopeDomain, parseEnvelope } from '../../../src/names/envelope'

const SENDERS = [
  ...['', 'postmaster', 'a@contoso.example', 'b@contoso.example', 'a@CONTOSO.example'],
  ...['a@sub.contoso.example', 'a@fabrikam.example', 'a@[192.0.2.1]', 'a@münchen.example'],
]

const snapshotWith = (...domains: string[]): Snapshot =>
  ({
    domains: new Map(domains.map((each) => [each, { subdomains: false, shared: false }])),
  }) as unknown as Snapshot
const MAIL_CLASSES = Object.keys(CLASSES) as MailClass[]
const SNAPSHOTS = [snapshotWith('contoso.example'), snapshotWith('fabrikam.example'), null]

const attributed = (tenant: string, connector?: string): Attributed => ({
  ...{ kind: 'attributed', tenant, connector, enabled: true, blocked: false, method: 'ip' },
})
const ATTRIBUTIONS = [attributed('contoso', 'contoso/mx'), attributed('fabrikam')]

describe('what is kept of the last sender of a session', () => {
  it('is never taken for what another sender, tenant or connector would have', () => {
    const message = fc.record({
      from: fc.constantFrom(...SENDERS),
      snapshot: fc.constantFrom(...SNAPSHOTS),
      attribution: fc.constantFrom(...ATTRIBUTIONS),
      mailClass: fc.constantFrom(...MAIL_CLASSES),
    })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30 }), (messages) => {
        const last = new LastSender()
        for (const { from, snapshot, attribution, mailClass } of messages) {
          const address = parseEnvelope(from)
          const domain = last.domainOf(address)
          assert.deepEqual(domain, envelopeDomain(address))
          const standing = last.standingFor(domain, snapshot)
          assert.deepEqual(standing, standingOf(domain, snapshot))
          const { tenant, connector } = attribution
          assert.deepEqual(last.noteOf(attribution, mailClass), {
            ...{ tenant, connector: connector ?? null },
            class: mailClass === 'unknown' ? null : mailClass,
          })
          assert.deepEqual(last.factsOf(attribution, standing.domain), {
            ...{ tenant, connector, domain: standing.domain },
          })
        }
      }),
    )
  })

  it('is the same object for the next message of the sender', () => {
    const last = new LastSender()
    const [first, second] = ['a@contoso.example', 'b@contoso.example'].map((from) => {
      const domain = last.domainOf(parseEnvelope(from))
      return last.standingFor(domain, SNAPSHOTS[0])
    })
    assert.equal(first, second)
  })
})
