import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultsOf } from '../../src/allowance/defaults'
import { Ledger } from '../../src/allowance/ledger'
import { readAudit } from '../../src/audit/reader'
import { toPause, withPause } from '../../src/enforcement/in-effect'
import { readPause } from '../../src/enforcement/pause'
import { loadConfig } from '../../src/process/config-file'
import { charge } from '../cli/charging'
import { newConsole, textOf } from '../support/console'
import { newSite, theRedis, useRedis } from '../support/registry'
import { record } from '../support/reports'

useRedis()

describe('enforcement in the console', () => {
  it('is paused and resumed by an admin, who is asked before it is resumed', async () => {
    const console = newConsole()
    const admin = console.as('admin')
    assert.match(textOf(await admin.page('/enforcement')), /State not paused/)
    const form = { reason: 'limits too low', for: '30m', return_to: '/enforcement' }
    const paused = textOf(await admin.done('/enforcement/pause', form))
    assert.match(paused, /paused enforcement until \S+Z: nothing is refused but what a person has/)
    assert.match(paused, /tenantctl enforcement pause --reason 'limits too low' --for 30m/)
    assert.match(paused, /State paused until .* By console:ann Reason limits too low/)
    assert.match(paused, /Enforcement is paused until \S+ , by console:ann: limits too low\./)

    const resume = { reason: 'corrected', return_to: '/enforcement' }
    const asked = textOf(await admin.done('/enforcement/resume', resume))
    assert.match(
      asked,
      /Resume enforcement on all hosts\? no tenant would be restricted by its next/,
    )
    const done = { ...resume, confirmed: 'yes' }
    const resumed = textOf(await admin.done('/enforcement/resume', done))
    assert.match(resumed, /resumed enforcement/)
    assert.match(resumed, /Last resumed \S+ by console:ann: corrected/)
    const trail = await readAudit(console.store, { from: 0, to: Infinity, who: 'console:ann' })
    assert.deepEqual(
      trail.map(({ what }) => what),
      ['enforcement paused', 'enforcement resumed'],
    )
  })

  it('names before it is resumed who would be restricted at once, and starts their windows afresh', async () => {
    const site = newSite()
    const { store, registry } = site
    const { config } = loadConfig(undefined)
    // What processes have in effect, as a console reads it.
    const inEffect = async () => withPause(config, toPause(await readPause(store)))
    const console = newConsole({}, { config: inEffect }, site)
    await registry.tenants.add('contoso', { limits: '1/1h' }, 'ann')
    await charge(theRedis(), store.keys, 'contoso')
    await record(store, 'contoso', { at: Date.now(), accepted: 1 })
    const admin = console.as('admin')
    const form = { reason: 'x', for: '1h', return_to: '/enforcement' }
    await admin.post('/enforcement/pause', form)
    const asked = textOf(await admin.done('/enforcement/resume', { ...form, fresh: 'yes' }))
    assert.match(
      asked,
      /1 tenant would be restricted by the next recipient: contoso the windows of these tenants start/,
    )
    const done = { ...form, fresh: 'yes', confirmed: 'yes' }
    assert.match(
      textOf(await admin.done('/enforcement/resume', done)),
      /windows of 1 tenant afresh/,
    )
    const usage = await new Ledger(store, 5000).usage('contoso', defaultsOf(config))
    assert.deepEqual(
      usage?.unregistered.map(({ used }) => used),
      [0],
    )
  })

  it('is not for people with another role: they see the state, and no form', async () => {
    const console = newConsole()
    for (const role of ['viewer', 'operator'] as const) {
      const page = await console.as(role).page('/enforcement')
      assert.match(textOf(page), /State not paused/)
      assert.doesNotMatch(page, /action="\/enforcement/)
      const sent = await console.as(role).post('/enforcement/pause', { reason: 'x', for: '1h' })
      assert.equal(sent.status, 403)
    }
  })

  it('is not paused for longer than seven days, nor without a reason', async () => {
    const admin = newConsole().as('admin')
    for (const [fields, message] of [
      [{ reason: 'x', for: '8d' }, /longer than 7d: pause again before it ends/],
      [{ reason: '', for: '1h' }, /the reason is empty/],
      [{ reason: 'x', for: 'soon' }, /soon/],
    ] as const) {
      const response = await admin.post('/enforcement/pause', fields)
      assert.equal(response.status, 400)
      assert.match(await response.text(), message)
    }
  })
})
