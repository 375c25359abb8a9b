import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { METER_NAMES, METERS } from '../../src/mail/meters'
import {
  formatTemporary,
  parseTemporary,
  temporaryAt,
  temporaryField,
} from '../../src/mail/temporary'
import type { TenantSettings } from '../../src/registry/tenant-registry'
import { Allowance } from '../support/allowance'
import { NOON } from '../support/clock'
import { useRedis } from '../support/registry'

useRedis()

const HOUR = 3_600_000

/** `contoso` with a limit of 3, and of 5 for an hour. */
async function given(settings: TenantSettings = {}): Promise<Allowance> {
  const until = NOON + HOUR
  return Allowance.create({
    limits: '3/1d',
    temporaryLimits: formatTemporary({ limits: '5/1d', until }),
    ...settings,
  })
}

describe('limits for some time', () => {
  it('apply until their end by the clock of the server, and the usual ones then', async () => {
    const allowance = await given()
    for (let at = 1; at <= 4; at++) {
      const { answer, limit } = await allowance.charge()
      assert.deepEqual([answer, limit], ['CHARGED', 5])
    }
    await allowance.advance(HOUR - 1)
    assert.equal((await allowance.usage()).unregistered[0]!.limit, 5)
    await allowance.advance(1)
    const usage = await allowance.usage()
    assert.deepEqual(usage.temporary, {})
    const [{ used, limit, remaining }] = usage.unregistered as [(typeof usage.unregistered)[0]]
    assert.deepEqual([used, limit, remaining], [4, 3, 0])
    const { answer } = await allowance.charge()
    assert.equal(answer, 'TRIPPED')
  })

  it('are named in the usage with those that follow', async () => {
    const { temporary } = await (await given()).usage()
    assert.deepEqual(temporary, {
      unregistered: { limits: '5/1d', until: NOON + HOUR, usual: '3/1d' },
    })
    const { temporary: byDefault } = await (await given({ limits: null })).usage()
    assert.equal(byDefault.unregistered?.usual, '3/1h')
  })

  it('never allow more than a probation does', async () => {
    const allowance = await given()
    await allowance.block('unregistered')
    await allowance.lift(false, 'contoso', { limits: '2/1d, 1/1h', duration: HOUR / 2 })
    const limits = async (): Promise<string[]> =>
      (await allowance.usage()).unregistered.map(({ limit, window }) => `${limit}/${window / HOUR}`)
    assert.deepEqual(await limits(), ['2/24', '1/1'])
    await allowance.advance(HOUR / 2)
    assert.deepEqual(await limits(), ['5/24'])
  })

  it('are of one meter, and of none that the tenant does not have', async () => {
    const text = formatTemporary({ limits: '7/1h', until: NOON + HOUR })
    const fields = METER_NAMES.map((meter) => [temporaryField(METERS[meter].limitsField), text])
    const allowance = await Allowance.create(Object.fromEntries(fields) as TenantSettings)
    const { temporary, unregistered, null: nulls, forwarded } = await allowance.usage()
    assert.deepEqual(Object.keys(temporary), ['unregistered', 'null'])
    assert.deepEqual([unregistered[0]!.limit, nulls[0]!.limit, forwarded], [7, 7, undefined])
    await allowance.registry.tenants.set('contoso', { forwardedLimits: '1/1h' })
    assert.equal((await allowance.usage()).forwarded?.[0]?.limit, 7)
    await allowance.block('unregistered')
    assert.equal((await allowance.usage()).null[0]!.limit, 1, 'a tenth')
  })

  it('survive a text that is none, which counts for nothing', async () => {
    const allowance = await given()
    const { client, keys } = allowance.store
    for (const text of ['5/1d', '5/1d until tomorrow', ' until 2026-12-03T08:00:00Z', '']) {
      await client.hset(keys.tenant('contoso'), 'temporaryLimits', text)
      assert.equal((await allowance.usage()).unregistered[0]!.limit, 3, text)
      assert.equal(temporaryAt(text, 0), undefined, text)
      assert.throws(() => parseTemporary(text), text)
      assert.equal((await allowance.charge({ transaction: 't', ordinal: 1 })).limit, 3)
    }
  })

  it('end at the same moment in the scripts as here, in any year', async () => {
    const allowance = await Allowance.create({ limits: '3/1h' })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: Date.UTC(2100, 5) / 1000 }), async (second) => {
        const until = second * 1000
        const temporaryLimits = formatTemporary({ limits: '5/1h', until })
        assert.deepEqual(parseTemporary(temporaryLimits), { limits: '5/1h', until })
        await allowance.registry.tenants.set('contoso', { temporaryLimits })
        for (const [now, limit] of [
          [until - 1, 5],
          [until, 3],
        ] as const) {
          await allowance.clock.set(allowance.store, now)
          assert.equal((await allowance.usage()).unregistered[0]!.limit, limit)
          assert.equal(temporaryAt(temporaryLimits, now) !== undefined, limit === 5)
        }
      }),
    )
  })
})

describe('a forecast while limits apply for some time', () => {
  it('knows the limits that follow', async () => {
    const allowance = await Allowance.create({
      limits: '40/1h',
      temporaryLimits: formatTemporary({ limits: '1000/1h', until: NOON + HOUR }),
    })
    // One a minute: 1000 are never reached, and at the end of the hour 60 are more than 40.
    await allowance.advance(HOUR / 2)
    for (let minute = 0; minute < 10; minute++) {
      await allowance.charge()
      await allowance.advance(60_000)
    }
    const { forecasts, at } = await allowance.usage()
    assert.equal(at, NOON + (HOUR * 2) / 3)
    const { limit, at: when } = forecasts.unregistered!
    assert.equal(limit, 40)
    assert.ok(when >= NOON + HOUR, 'not before the usual limits apply')
    await allowance.registry.tenants.set('contoso', {
      temporaryLimits: formatTemporary({ limits: '15/1h', until: NOON + HOUR }),
    })
    const sooner = (await allowance.usage()).forecasts.unregistered!
    assert.deepEqual([sooner.limit, sooner.at < NOON + HOUR], [15, true])
  })
})
