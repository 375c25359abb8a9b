import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { operatorText } from '../../src/alerts/mail-text'
import type { Alert, RestrictedEvent } from '../../src/events/event'
import { describe as describeEvent } from '../../src/events/words'
import { trip } from '../support/evidence'

/** The alert of such an event, as the stream holds it. */
function alertOf(event: RestrictedEvent): Alert {
  return { id: event.id, alert: event.id, count: 1, ...describeEvent('contoso', event) }
}

describe('a trip within probation', () => {
  it('is escalated: in its facts and its title, and its mail is urgent', () => {
    const alert = alertOf(trip(2, { probation: true }))
    assert.equal(alert.facts['escalated'], true)
    assert.equal(alert.severity, 'High')
    assert.equal(
      alert.title,
      'Tenant restricted from sending unprovisioned email again, within probation: contoso',
    )
    const { urgent, lines } = operatorText(alert)
    assert.equal(urgent, true)
    assert.ok(lines.some((line) => /^ {2}escalated +true$/.test(line)))
  })

  it('is told apart from any other, which is not escalated', () => {
    const byHand = { probation: false, by: 'ann', reason: 'phishing' }
    for (const event of [trip(1), trip(1, byHand)]) {
      const alert = alertOf(event)
      assert.equal('escalated' in alert.facts, false)
      assert.equal(alert.severity, 'High')
      assert.equal(alert.title, 'Tenant restricted from sending unprovisioned email: contoso')
      assert.equal(operatorText(alert).urgent, false)
    }
  })
})
