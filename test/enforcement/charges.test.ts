import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { modeFacts } from '../../src/allowance/restriction'
import { modeInEffect, type Mode } from '../../src/mail/mode'
import { Allowance, DEFAULTS } from '../support/allowance'
import { useRedis } from '../support/registry'

useRedis()

const MODES: readonly (Mode | undefined)[] = [undefined, 'enforce', 'monitor', 'off']
const RESTRICTIONS = ['none', 'tripped', 'placed', 'all'] as const

/** The tenant contoso, used up. */
async function allowanceWith(
  mode: Mode | undefined,
  restriction: (typeof RESTRICTIONS)[number],
): Promise<Allowance> {
  const allowance = await Allowance.create({ limits: '1/1h' })
  await allowance.answers(restriction === 'tripped' ? 2 : 1)
  if (restriction === 'placed') await allowance.block('unregistered')
  if (restriction === 'all') await allowance.block('all')
  if (mode) await allowance.registry.tenants.set('contoso', { mode })
  return allowance
}

describe('a charge while enforcement is paused', () => {
  for (const restriction of RESTRICTIONS) {
    it(`is answered by the mode that the hooks have in effect: ${restriction}`, async () => {
      for (const own of MODES) {
        for (const mode of ['enforce', 'monitor', 'off'] as const) {
          const allowance = await allowanceWith(own, restriction)
          const facts = modeFacts(own, await allowance.restriction())
          const override = modeInEffect({ mode, override: 'pause' }, facts)
          const recipient = await allowance.recipient()
          const preview = (of: 'pause' | Mode) =>
            allowance.ledger.preview(recipient, { ...DEFAULTS, mode, override: of })
          const [answered, expected] = [await preview('pause'), await preview(override)]
          assert.deepEqual(answered, expected, JSON.stringify([own, mode]))
        }
      }
    })
  }

  it('passes past the limit and of a tripped tenant, and is counted; it restricts no tenant', async () => {
    const pause = { defaults: { override: 'pause' } } as const
    const allowance = await allowanceWith(undefined, 'none')
    assert.deepEqual(await allowance.answers(2, pause), ['CHARGED', 'CHARGED'])
    assert.equal(await allowance.restriction(), undefined)
    assert.deepEqual(await allowance.used(), [3])
    assert.deepEqual(await allowance.answers(1), ['TRIPPED'])
    assert.deepEqual(await allowance.answers(1), ['RESTRICTED'])
    assert.deepEqual(await allowance.answers(1, pause), ['CHARGED'])
    assert.equal((await allowance.restriction())?.by, 'automatic')
  })

  it('is refused as soon as a person has restricted the tenant, though the process does not know that yet', async () => {
    const allowance = await allowanceWith(undefined, 'placed')
    const pause = { defaults: { override: 'pause' } } as const
    assert.deepEqual(await allowance.answers(1, pause), ['RESTRICTED'])
    await allowance.lift()
    assert.deepEqual(await allowance.answers(2, pause), ['CHARGED', 'CHARGED'])
  })
})
