import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { contactText } from '../../src/alerts/contact-text'
import { operatorText } from '../../src/alerts/mail-text'
import type { Alert, Event } from '../../src/records/event'
import { describe as describeEvent } from '../../src/events/words'
import { logAlert } from '../../plugins/process/engine-log'
import type { Plugin } from '../../plugins/kit/haraka'
import { trip } from '../support/evidence'

/** The alert of such an event, as the stream holds it. */
function alertOf(event: Event): Alert {
  return { id: event.id, alert: event.id, count: 1, ...describeEvent('contoso', event) }
}

/** The meter in the line of Haraka's log. */
function meterInLog(alert: Alert): unknown {
  const lines: Record<string, unknown>[] = []
  const log = (_: string, line: Record<string, unknown>): unknown => lines.push(line)
  logAlert({ logwarn: log, lognotice: log } as unknown as Plugin, alert)
  return lines[0]?.['meter']
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

  it('differs from any other trip, which is not escalated', () => {
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

describe('an event of the allowance for forwarded mail', () => {
  const window = { window: 3_600_000, limit: 300, used: 240 }
  const sender = { domain: 'a.example', connector: '', ip: '192.0.2.1' }
  const raised = { id: 'evt_1', at: 0 }

  it('names forwarded mail in its title and its commands; any other does not', () => {
    const allowance = { kind: 'allowance', percent: 80, ...raised, ...window, ...sender } as const
    const forwarded = describeEvent('contoso', { ...allowance, meter: 'forwarded' })
    assert.equal(
      forwarded.title,
      'contoso has used 80 % of its allowance of 300/1h for forwarded mail',
    )
    assert.match(forwarded.next[0]!, /report contoso --days 1 --class forwarded/)
    assert.ok(forwarded.next.every((step) => !step.includes('suggest')))
    const other = describeEvent('contoso', allowance)
    assert.equal(other.title, 'contoso has used 80 % of its allowance of 300/1h')
    assert.doesNotMatch(JSON.stringify(other), /forwarded/)
  })

  it('names forwarded mail when it trips and when it is over', () => {
    const trigger = { ...window, ...sender, meter: 'forwarded' } as const
    assert.match(alertOf(trip(1, { trigger })).title, /: contoso, by its forwarded mail$/)
    const over = { kind: 'resolved', of: 'allowance', resolves: 'evt_0', percent: 80 } as const
    const meter = { meter: 'forwarded', window: 3_600_000 } as const
    assert.equal(
      describeEvent('contoso', { ...raised, ...over, ...meter }).title,
      'contoso is below 80 % of its allowance in 1h for forwarded mail again',
    )
  })

  it('of the null sender names it and the commands for it', () => {
    const allowance = { kind: 'allowance', percent: 100, ...raised, ...window, ...sender } as const
    const alert = alertOf({ ...allowance, meter: 'null' })
    assert.equal(
      alert.title,
      'Suspicious tenant sending patterns observed: contoso has used 100 % of its allowance of 300/1h for the null sender',
    )
    assert.equal(alert.severity, 'High')
    assert.ok(alert.next.some((step) => step.includes('--null-limits')))
    assert.ok(alert.next.every((step) => !step.includes('suggest')))
    assert.equal(meterInLog(alert), 'null')
    const mail = contactText(alert, 'Contoso', 'relay@example.org')!
    assert.equal(mail.subject, 'Contoso has used 100 % of its allowance for the null sender')
    assert.ok(mail.lines.every((line) => !line.includes('registered for you')))
  })

  it('names its meter in the log when an edge is reached, trips or is over; any other does not', () => {
    const allowance = { kind: 'allowance', percent: 80, ...raised, ...window, ...sender } as const
    const over = { kind: 'resolved', of: 'allowance', resolves: 'evt_0', ...raised } as const
    const trigger = { ...window, ...sender }
    const logged = (meter: { meter?: 'forwarded' }): unknown[] =>
      [
        { ...allowance, ...meter },
        trip(1, { trigger: { ...trigger, ...meter } }),
        { ...over, ...meter },
      ].map((event) => meterInLog(alertOf(event)))
    assert.deepEqual(logged({ meter: 'forwarded' }), ['forwarded', 'forwarded', 'forwarded'])
    assert.deepEqual(logged({}), [undefined, undefined, undefined])
  })
})
