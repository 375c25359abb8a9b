import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { contactText } from '../../src/alerts/contact-text'
import { SHIPPED_TEXTS } from '../support/alerts'
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

/** The levels at which it is logged. */
function levelsOf(alert: Alert): string[] {
  const levels: string[] = []
  const plugin = Object.fromEntries(
    ['logcrit', 'logwarn', 'lognotice'].map((level) => [level, () => levels.push(level)]),
  )
  logAlert(plugin as unknown as Plugin, alert)
  return levels
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

describe('the event of a Redis that went back in time', () => {
  const none = { count: 0, subjects: [] }
  const span = { from: Date.parse('2026-01-01T10:00:00Z'), to: Date.parse('2026-01-01T10:05:00Z') }
  const event = {
    ...({ id: 'evt_1', at: 0, kind: 'went_back' } as const),
    ...{ ...span, putBack: none, lost: { count: 1, subjects: ['contoso'] }, missing: none },
  }
  const missing = { count: 7, subjects: ['@connectors', 'contoso', 'fabrikam'] }

  it('is of Medium severity while processes know all that is lost, and names restore-known', () => {
    const alert = describeEvent('', event)
    assert.equal(alert.severity, 'Medium')
    assert.equal(
      alert.title,
      'Redis has gone back in time: it lost changes of contoso made from 2026-01-01T10:00:00Z to 2026-01-01T10:05:00Z, which processes still know',
    )
    const [status, restore, accept] = alert.next
    assert.match(status!, /^tenantctl registry status /)
    assert.match(restore!, /^tenantctl registry restore-known /)
    assert.match(accept!, /^tenantctl registry accept-redis /)
    assert.ok(alert.next.some((step) => step.includes('recipients counted in that time are lost')))
  })

  it('is High where no process knows a change, and does not offer to restore what is not known', () => {
    const alert = describeEvent('', { ...event, from: 0, lost: none, missing })
    assert.equal(alert.severity, 'High')
    assert.equal(
      alert.title,
      'Redis has gone back in time: it lost changes of the connectors, contoso, fabrikam and 4 more made until 2026-01-01T10:05:00Z, and no process knows them',
    )
    assert.ok(alert.next.every((step) => !step.includes('restore-known')))
    assert.ok(alert.next.some((step) => step.startsWith('make the changes again')))
  })

  it('is a crit line of the log where it is High, and a warning where it is Medium', () => {
    assert.deepEqual(levelsOf(alertOf(event)), ['logwarn'])
    assert.deepEqual(levelsOf(alertOf({ ...event, missing })), ['logcrit'])
  })

  it('is no matter of a tenant, and shows operators its times', () => {
    const alert = { ...alertOf(event), tenant: '' }
    assert.equal(contactText(alert, 'Contoso', 'relay@example.org', SHIPPED_TEXTS), undefined)
    const { lines } = operatorText(alert)
    assert.ok(lines.some((line) => /^ {2}from +2026-01-01T10:00:00.000Z$/.test(line)))
    assert.ok(lines.some((line) => /^ {2}lost subjects +contoso$/.test(line)))
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
    const mail = contactText(alert, 'Contoso', 'relay@example.org', SHIPPED_TEXTS)!
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
