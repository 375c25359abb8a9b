import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Defaults, MessageCharge, MessageResult } from '../../src/allowance/ledger'
import type { Usage } from '../../src/allowance/usage'
import { Allowance, DEFAULTS } from '../support/allowance'
import { useRedis } from '../support/registry'

useRedis()

const FORWARDS = { limits: '3/1h', forwardedLimits: '6/1h' }

interface Message {
  readonly meter?: MessageCharge['meter']
  readonly signatures?: readonly string[]
  readonly forwards?: Defaults['forwards']
  readonly provenOnly?: boolean
}

/** A message whose recipients are held. */
class Held {
  readonly ordinals: number[] = []

  constructor(
    private readonly allowance: Allowance,
    readonly transaction = allowance.transaction(),
  ) {}

  static async of(allowance: Allowance, recipients: number): Promise<Held> {
    const held = new Held(allowance)
    for (let ordinal = 1; ordinal <= recipients; ordinal++) {
      const { transaction } = held
      const { answer } = await allowance.charge({ transaction, ordinal })
      assert.equal(answer, 'HELD')
      held.ordinals.push(ordinal)
    }
    return held
  }

  settle({
    meter = 'forwarded',
    signatures = [],
    forwards = 'refuse',
    provenOnly = false,
  }: Message = {}): Promise<MessageResult> {
    const { transaction, ordinals } = this
    return this.allowance.ledger.chargeMessage(
      {
        ...{ tenant: 'contoso', transaction, meter, ordinals, signatures, provenOnly },
        ...{ domain: 'other.example', connector: 'contoso/mx', ip: '192.0.2.1' },
      },
      { ...DEFAULTS, forwards },
    )
  }

  refund(signatures: readonly string[] = []): Promise<number> {
    return this.allowance.ledger.refund('contoso', this.transaction, this.ordinals, signatures)
  }
}

function numbersOf(usage: Usage): { unregistered: number[]; forwarded: number[]; held: number } {
  const used = (windows: Usage['null'] = []): number[] => windows.map((window) => window.used)
  const { unregistered, forwarded, held } = usage
  return { unregistered: used(unregistered), forwarded: used(forwarded), held }
}

describe('holds', () => {
  it('neither count nor trip, however many there are up to 200, and then there are no more', async () => {
    const allowance = await Allowance.create(FORWARDS)
    for (let at = 0; at < 200; at++) assert.equal((await allowance.charge()).answer, 'HELD')
    const { answer, used, limit } = await allowance.charge()
    assert.deepEqual([answer, used, limit], ['BUSY', 200, 200])
    assert.deepEqual(numbersOf(await allowance.usage()), {
      ...{ unregistered: [0], forwarded: [0], held: 200 },
    })
    assert.equal(await allowance.restriction(), undefined)
  })

  it('of a killed process end by themselves, when ten minutes have passed', async () => {
    const allowance = await Allowance.create(FORWARDS)
    await Held.of(allowance, 3)
    await allowance.advance(600_000)
    assert.equal((await allowance.usage()).held, 3)
    await allowance.advance(10_000)
    assert.equal((await allowance.usage()).held, 0)
  })

  it('are ended by a refund, once', async () => {
    const allowance = await Allowance.create(FORWARDS)
    const held = await Held.of(allowance, 2)
    assert.equal(await held.refund(), 2)
    assert.equal(await held.refund(), 0)
    assert.equal((await allowance.usage()).held, 0)
    assert.equal((await held.settle()).answer, 'EXPIRED')
  })

  it('of before a lift are gone, and end none of after it', async () => {
    const allowance = await Allowance.create(FORWARDS)
    const before = await Held.of(allowance, 2)
    await allowance.block('unregistered')
    await allowance.lift()
    assert.equal((await allowance.usage()).held, 0)
    await Held.of(allowance, 2)
    assert.equal((await before.settle()).answer, 'FORWARDED')
    assert.deepEqual(numbersOf(await allowance.usage()), {
      ...{ unregistered: [0], forwarded: [2], held: 2 },
    })
  })

  it('are not made for a tenant without an allowance for forwards', async () => {
    const allowance = await Allowance.create({ limits: '3/1h' })
    assert.equal((await allowance.charge()).answer, 'CHARGED')
    assert.equal((await allowance.usage()).forwarded, undefined)
  })
})

describe('a message that is there', () => {
  it('moves from what is held to the meter of forwards, once', async () => {
    const allowance = await Allowance.create(FORWARDS)
    const held = await Held.of(allowance, 2)
    const first = await held.settle()
    assert.deepEqual([first.answer, first.meter, first.used], ['FORWARDED', 'forwarded', 2])
    const again = await held.settle()
    assert.deepEqual([again.answer, again.used], ['FORWARDED', 2])
    // What it was taken for first stands.
    assert.equal((await held.settle({ meter: 'unregistered' })).answer, 'FORWARDED')
    assert.deepEqual(numbersOf(await allowance.usage()), {
      ...{ unregistered: [0], forwarded: [2], held: 0 },
    })
  })

  it('without proof is unregistered, and trips with all its recipients or counts them all', async () => {
    const allowance = await Allowance.create(FORWARDS)
    const [first, second] = [await Held.of(allowance, 2), await Held.of(allowance, 2)]
    assert.equal((await first.settle({ meter: 'unregistered' })).answer, 'CHARGED')
    const { answer, used, limit } = await second.settle({ meter: 'unregistered' })
    assert.deepEqual([answer, used, limit], ['TRIPPED', 2, 3])
    assert.deepEqual(numbersOf(await allowance.usage()), {
      ...{ unregistered: [2], forwarded: [0], held: 0 },
    })
    const restriction = await allowance.restriction()
    assert.equal(restriction?.reason, 'allowance of 3/1h exceeded by a message to 2 recipients')
    assert.equal((await second.settle({ meter: 'unregistered' })).answer, 'TRIPPED')
  })

  it('past the allowance for forwards restricts the tenant, and says which allowance it was', async () => {
    const allowance = await Allowance.create({ ...FORWARDS, forwardedLimits: '2/1h' })
    await (await Held.of(allowance, 2)).settle()
    assert.equal((await (await Held.of(allowance, 1)).settle()).answer, 'TRIPPED')
    const restriction = await allowance.restriction()
    assert.equal(restriction?.reason, 'forwarded allowance of 2/1h exceeded')
    assert.equal(restriction?.trigger?.meter, 'forwarded')
    const [event] = (await allowance.events()).filter(({ kind }) => kind === 'restricted')
    assert.equal(event?.kind === 'restricted' && event.trigger?.meter, 'forwarded')
  })

  it('is only deferred where its limit says so, and its hold is ended by the refund', async () => {
    const allowance = await Allowance.create({ ...FORWARDS, forwardedLimits: '2/1h defer' })
    await (await Held.of(allowance, 2)).settle()
    const held = await Held.of(allowance, 1)
    assert.equal((await held.settle()).answer, 'DEFER')
    assert.equal((await allowance.usage()).held, 1)
    assert.equal(await held.refund(), 1)
    assert.equal((await allowance.usage()).held, 0)
    assert.equal(await allowance.restriction(), undefined)
  })

  it('whose receipts have expired meanwhile is counted all the same', async () => {
    const allowance = await Allowance.create(FORWARDS)
    const held = await Held.of(allowance, 2)
    const { client, keys } = allowance.store
    await client.unlink(keys.receipt('contoso', held.transaction))
    assert.equal((await held.settle({ meter: 'unregistered' })).answer, 'CHARGED')
    assert.deepEqual(await allowance.used(), [2])
  })

  it('is given back where it is not taken in the end', async () => {
    const allowance = await Allowance.create(FORWARDS)
    const held = await Held.of(allowance, 2)
    await held.settle()
    assert.equal(await held.refund(), 2)
    assert.deepEqual(numbersOf(await allowance.usage()).forwarded, [0])
  })

  it('may have thousands of recipients', async () => {
    const allowance = await Allowance.create({ ...FORWARDS, limits: '10000/1h' })
    const many = new Held(allowance)
    many.ordinals.push(...Array.from({ length: 9000 }, (_, at) => at + 1))
    assert.equal((await many.settle({ meter: 'unregistered' })).answer, 'CHARGED')
    assert.deepEqual(await allowance.used(), [9000])
    assert.equal((await many.settle({ meter: 'unregistered' })).answer, 'CHARGED')
    assert.equal(await many.refund(), 9000)
    assert.deepEqual(await allowance.used(), [0])
  })

  it('leaves one receipt where it trips, whatever comes afterwards', async () => {
    const allowance = await Allowance.create({ limits: '3/1h' })
    const many = new Held(allowance)
    many.ordinals.push(...Array.from({ length: 80_000 }, (_, at) => at + 1))
    const first = await many.settle({ meter: 'unregistered' })
    assert.deepEqual([first.answer, first.used, first.limit], ['TRIPPED', 0, 3])
    const { client, keys } = allowance.store
    const receipts = (): Promise<number> => client.hlen(keys.receipt('contoso', many.transaction))
    assert.equal(await receipts(), 1)
    assert.equal(await many.refund(), 0)
    assert.equal(await receipts(), 1)
    assert.deepEqual(await many.settle({ meter: 'unregistered' }), first)
    const late = await allowance.charge({ transaction: many.transaction, ordinal: 80_001 })
    assert.equal(late.answer, 'EXPIRED')
    await allowance.lift()
    assert.deepEqual(await many.settle({ meter: 'unregistered' }), { ...first, case: '' })
    assert.deepEqual(await allowance.used(), [0])
    assert.equal(await allowance.restriction(), undefined)
  })

  it('gives the same answer when it trips again, by the meter that it tripped by', async () => {
    const allowance = await Allowance.create({ limits: '3/1h', forwardedLimits: '99/1h' })
    const signatures = ['s1']
    await (await Held.of(allowance, 5)).settle({ signatures })
    const used = await Held.of(allowance, 4)
    const first = await used.settle({ signatures })
    assert.deepEqual(
      [first.answer, first.meter, first.exhausted],
      ['TRIPPED', 'unregistered', true],
    )
    assert.deepEqual(await used.settle({ signatures }), first)
    assert.equal(await used.refund(signatures), 0)
    assert.equal((await allowance.usage()).held, 0)
  })

  it('of a restricted tenant is refused, and a forward only where that is wanted', async () => {
    const allowance = await Allowance.create(FORWARDS)
    const [first, second] = [await Held.of(allowance, 1), await Held.of(allowance, 1)]
    await allowance.block('unregistered')
    assert.equal((await first.settle()).answer, 'RESTRICTED')
    const accepting = { forwards: 'accept' } as const
    assert.equal(
      (await second.settle({ ...accepting, meter: 'unregistered' })).answer,
      'RESTRICTED',
    )
    assert.equal((await second.settle(accepting)).answer, 'FORWARDED')
    const { answer } = await allowance.charge({ defaults: accepting })
    assert.equal(answer, 'HELD')
    assert.equal((await allowance.charge()).answer, 'RESTRICTED')
  })

  it('of a restricted tenant past the allowance for forwards leaves the restriction as it is', async () => {
    const allowance = await Allowance.create({ ...FORWARDS, forwardedLimits: '1/1h' })
    await allowance.block('unregistered')
    const before = await allowance.restriction()
    const accepting = { forwards: 'accept' } as const
    const messages = [new Held(allowance), new Held(allowance)]
    for (const message of messages) message.ordinals.push(1)
    assert.equal((await messages[0]!.settle(accepting)).answer, 'FORWARDED')
    assert.equal((await messages[1]!.settle(accepting)).answer, 'RESTRICTED')
    assert.deepEqual(await allowance.restriction(), before)
  })
})

describe('a signature', () => {
  it('proves five recipients, of whatever messages, and no more', async () => {
    const allowance = await Allowance.create({ limits: '9/1h', forwardedLimits: '99/1h' })
    const proof = { signatures: ['s1'] }
    assert.equal((await (await Held.of(allowance, 3)).settle(proof)).answer, 'FORWARDED')
    const third = await (await Held.of(allowance, 3)).settle(proof)
    assert.deepEqual(
      [third.answer, third.meter, third.exhausted],
      ['CHARGED', 'unregistered', true],
    )
    assert.equal((await (await Held.of(allowance, 2)).settle(proof)).answer, 'FORWARDED')
    assert.equal((await (await Held.of(allowance, 1)).settle(proof)).exhausted, true)
    const other = await (await Held.of(allowance, 1)).settle({ signatures: ['s2'] })
    assert.equal(other.answer, 'FORWARDED')
  })

  it('proves nothing more beside another one either', async () => {
    const allowance = await Allowance.create({ limits: '9/1h', forwardedLimits: '99/1h' })
    await (await Held.of(allowance, 5)).settle({ signatures: ['s1', 's2'] })
    for (const signatures of [['s2'], ['s1'], ['s3', 's2']]) {
      assert.equal((await (await Held.of(allowance, 1)).settle({ signatures })).exhausted, true)
    }
  })

  it('gets back what was not taken in the end, and never more than it has proven', async () => {
    const allowance = await Allowance.create({ limits: '9/1h', forwardedLimits: '99/1h' })
    const signatures = ['s1']
    const { client, keys } = allowance.store
    const proven = (): Promise<string | null> => client.get(keys.signature('contoso', 's1'))
    const held = await Held.of(allowance, 3)
    await held.settle({ signatures })
    assert.equal(await proven(), '3')
    await held.refund(signatures)
    await held.refund(signatures)
    assert.equal(await proven(), '0')
    // What was counted as unregistered was proven by nothing.
    const unproven = await Held.of(allowance, 1)
    await unproven.settle({ meter: 'unregistered' })
    await (await Held.of(allowance, 2)).settle({ signatures })
    await unproven.refund(signatures)
    assert.equal(await proven(), '2')
    // What it had proven has been forgotten meanwhile.
    await client.unlink(keys.signature('contoso', 's1'))
    const before = await Held.of(allowance, 3)
    await before.settle({ signatures })
    await client.unlink(keys.signature('contoso', 's1'))
    await (await Held.of(allowance, 1)).settle({ signatures })
    await before.refund(signatures)
    assert.equal(await proven(), '0')
  })

  it('is remembered for the longest window from its last use on', async () => {
    const allowance = await Allowance.create({ forwardedLimits: '9/1h, 99/2h' })
    await (await Held.of(allowance, 1)).settle({ signatures: ['s1'] })
    const { client, keys } = allowance.store
    const left = await client.pttl(keys.signature('contoso', 's1'))
    assert.ok(left > 7_100_000 && left <= 7_200_000, `${left} ms`)
    await allowance.registry.tenants.set('contoso', { forwardedLimits: 'unlimited' })
    await (await Held.of(allowance, 1)).settle({ signatures: ['s1'] })
    const longer = await client.pttl(keys.signature('contoso', 's1'))
    assert.ok(longer > 86_300_000 && longer <= 86_400_000, `${longer} ms`)
  })
})

describe('a message that is a forward or nothing', () => {
  it('counts for nothing where its signature is used up, and trips nobody', async () => {
    const allowance = await Allowance.create({ limits: '1/1h', forwardedLimits: '99/1h' })
    const proof = { signatures: ['s1'], provenOnly: true }
    assert.equal((await (await Held.of(allowance, 5)).settle(proof)).answer, 'FORWARDED')
    const held = await Held.of(allowance, 2)
    const { answer, exhausted } = await held.settle(proof)
    assert.deepEqual([answer, exhausted], ['UNPROVEN', true])
    assert.equal(await held.refund(proof.signatures), 2)
    assert.deepEqual(numbersOf(await allowance.usage()), {
      ...{ unregistered: [0], forwarded: [5], held: 0 },
    })
    assert.equal(await allowance.restriction(), undefined)
  })
})

describe('recipients that have been taken already', () => {
  const taken = (
    { ledger }: Allowance,
    recipients: number,
    facts: Partial<MessageCharge> = {},
  ): Promise<MessageResult> =>
    ledger.chargeMessage(
      {
        ...{ tenant: 'contoso', transaction: 'F9.1', ordinals: [7], accepted: recipients },
        ...{ meter: 'unregistered', signatures: [] },
        ...{ domain: 'other.example', connector: 'contoso/mx', ip: '192.0.2.1', ...facts },
      },
      DEFAULTS,
    )

  it('count past the limit, restrict the tenant, and are given back by nothing', async () => {
    const allowance = await Allowance.create({ limits: '3/1h, 9/1d' })
    const first = await taken(allowance, 5)
    assert.deepEqual([first.answer, first.used, first.limit], ['TRIPPED', 0, 3])
    assert.deepEqual(await allowance.used(), [5, 5])
    assert.equal(
      (await allowance.restriction())?.reason,
      'allowance of 3/1h exceeded by 5 recipients that another plugin accepted or added',
    )
    assert.deepEqual(await taken(allowance, 5), first)
    await allowance.ledger.refund('contoso', 'F9.1', [7])
    assert.deepEqual(await allowance.used(), [5, 5])
    // A restriction, or one of all mail, lets them not go uncounted.
    for (const scope of ['unregistered', 'all'] as const) {
      await allowance.block(scope)
      const { answer } = await taken(allowance, 1, { transaction: `F9.${scope}` })
      assert.equal(answer, 'CHARGED', scope)
    }
    assert.deepEqual(await allowance.used(), [7, 7])
  })

  it('restrict nobody by a limit of 0, one that defers, in monitor, or as mail of the null sender', async () => {
    const unrestricting = [
      [{ limits: '0/1h' }, 'unregistered'],
      [{ limits: '1/1h defer' }, 'unregistered'],
      [{ limits: '1/1h', mode: 'monitor' }, 'unregistered'],
      [{ nullLimits: '1/1h' }, 'null'],
    ] as const
    for (const [settings, meter] of unrestricting) {
      const allowance = await Allowance.create(settings)
      assert.equal((await taken(allowance, 2, { meter, domain: '' })).answer, 'CHARGED')
      const usage = await allowance.usage()
      assert.deepEqual(
        usage[meter].map(({ used }) => used),
        [2],
      )
      assert.equal(await allowance.restriction(), undefined)
    }
  })
})

describe('several recipients at once', () => {
  it('are charged all or none, and each is given back once', async () => {
    const allowance = await Allowance.create({ limits: '5/1h' })
    const charge = (ordinal: number, last: number): ReturnType<Allowance['charge']> =>
      allowance.charge({ transaction: 'F8.1', ordinal, last })
    const first = await charge(1, 4)
    assert.deepEqual([first.answer, first.used], ['CHARGED', 4])
    assert.deepEqual((await charge(1, 4)).used, 4)
    assert.equal(await allowance.ledger.refund('contoso', 'F8.1', [2, 3]), 2)
    assert.equal(await allowance.ledger.refund('contoso', 'F8.1', [1, 2, 3, 4]), 2)
    assert.deepEqual(await allowance.used(), [0])
    assert.equal((await charge(5, 10)).answer, 'TRIPPED')
    assert.deepEqual(await allowance.used(), [0])
    assert.equal(
      (await allowance.restriction())?.reason,
      'allowance of 5/1h exceeded by an address that stands for 6 recipients',
    )
  })

  it('may be thousands', async () => {
    const allowance = await Allowance.create({ limits: '20000/1h' })
    const { answer, used } = await allowance.charge({ ordinal: 1, last: 9000 })
    assert.deepEqual([answer, used], ['CHARGED', 9000])
  })
})

describe('a preview', () => {
  it('says what would become of a message, and changes nothing', async () => {
    const allowance = await Allowance.create(FORWARDS)
    const before = await allowance.everything()
    const settlement: MessageCharge = {
      ...{ tenant: 'contoso', transaction: 'explain', ordinals: [1], signatures: ['s1'] },
      ...{ meter: 'forwarded', domain: 'other.example', connector: '', ip: '' },
    }
    const preview = await allowance.ledger.previewMessage(settlement, DEFAULTS)
    assert.deepEqual([preview.answer, preview.used, preview.limit], ['FORWARDED', 1, 6])
    assert.deepEqual(await allowance.everything(), before)
  })
})
