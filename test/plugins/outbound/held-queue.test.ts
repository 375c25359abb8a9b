import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Address } from 'address-rfc2821'
import type { HMail, Plugin } from '../../../plugins/kit/haraka'
import { Delays, HeldQueue } from '../../../plugins/outbound/held-queue'
import { HeldCount } from '../../../src/outbound/held-count'
import { parseConfig } from '../../../src/process/config'
import type { Engine } from '../../../src/process/engine'

const DAY = 86_400_000

it('held mail returns within a minute though the clock of the host jumped by a day, and back', (t) => {
  const { config } = parseConfig({ restriction: { queued: 'hold' } }, '/nowhere')
  const restricted = { mode: undefined, restricted: 'all', domains: new Map() }
  const held = new HeldCount()
  const queue = new HeldQueue(
    { lognotice() {}, loginfo() {} } as unknown as Plugin,
    () => config,
    () => ({ directory: { peek: () => restricted }, held }) as unknown as Engine,
  )
  const hmail = {
    todo: {
      notes: { unregistered_domain: { tenant: 'contoso', class: 'registered' } },
      mail_from: new Address('<a@contoso.example>'),
    },
  } as unknown as HMail
  const delay = (): number => (queue.sendEmail(hmail) as { delay: number }).delay
  const now = Date.now()
  let ahead = 0
  t.mock.method(Date, 'now', () => now + ahead)
  for (ahead of [0, DAY, 0]) {
    assert.ok(delay() < 60, `${ahead} ms ahead`)
  }
  assert.equal(held.count(), 3)
  assert.equal(held.count(performance.now() + 60_000), 0)
})

it('many held messages return after the wait, apart from each other, and never before an earlier one', () => {
  const delays = new Delays(45_000, 2)
  const due = Array.from({ length: 1000 }, () => 1_000_000 + delays.next(1_000_000))
  assert.equal(due[0], 1_045_000)
  assert.equal(due[999], 1_045_000 + 999 * 2)
  assert.deepEqual(
    due,
    due.toSorted((a, b) => a - b),
  )
  // All of them have returned.
  assert.equal(delays.next(2_000_000), 45_000)
})
