import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { MessageCharge } from '../../src/allowance/ledger'
import { parseEnvelope } from '../../src/names/envelope'
import { Charges, type ChargeState, type RecipientCharge } from '../../src/allowance/charges'

const RECIPIENT = parseEnvelope('someone@far.example')
const SENDER = { domain: 'other.example', connector: 'contoso/mx', ip: '192.0.2.1' }

type Refunded = [tenant: string, transaction: string, ordinals: readonly number[]]

let refunded: Refunded[]
let proofs: string[]
let settled: MessageCharge[]
let charges: Charges

beforeEach(() => {
  refunded = []
  proofs = []
  settled = []
  charges = new Charges(
    'F1.1',
    (tenant, transaction, ordinals, signatures) => {
      refunded.push([tenant, transaction, ordinals])
      proofs.push(...(signatures ?? []))
    },
    (_charges, settlement) => settled.push(settlement),
  )
})

function counted(tenant = 'contoso', rank = 0): RecipientCharge {
  const charge = charges.open(tenant, 'unregistered', RECIPIENT, rank, SENDER)
  charges.close([charge], 'counted')
  return charge
}

describe('the charges of a transaction', () => {
  it('have ordinals from 1, and keep the rank of their recipient', () => {
    const opened = [
      charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER),
      charges.open('contoso', 'unregistered', RECIPIENT, 3, SENDER),
    ]
    assert.deepEqual(
      opened.map(({ ordinal, rank, state }) => [ordinal, rank, state]),
      [
        [1, 0, 'pending'],
        [2, 3, 'pending'],
      ],
    )
  })

  it('are refunded where the message was not accepted', () => {
    counted()
    counted()
    charges.settle(() => false)
    assert.deepEqual(refunded, [['contoso', 'F1.1', [1, 2]]])
  })

  it('stay where it was, or may have been', () => {
    counted()
    charges.settle(() => true)
    assert.deepEqual(refunded, [])
  })

  it('are refunded for the recipients that it was not accepted for', () => {
    const [, second] = [counted(), counted(), counted()]
    charges.settle((charge) => charge !== second)
    assert.deepEqual(refunded, [['contoso', 'F1.1', [2]]])
  })

  it('are settled once', () => {
    counted()
    charges.settle(() => true)
    charges.settle(() => false)
    assert.deepEqual(refunded, [])
  })

  it('are refunded where it is unknown whether they were counted', () => {
    charges.close([charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER)], 'unknown')
    charges.settle(() => false)
    assert.deepEqual(refunded, [['contoso', 'F1.1', [1]]])
  })

  it('are not refunded where they were not counted', () => {
    charges.close([charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER)], 'none')
    charges.settle(() => false)
    assert.deepEqual(refunded, [])
  })

  it('that are answered after the end are refunded then', () => {
    const late = charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER)
    const lost = charges.open('contoso', 'unregistered', RECIPIENT, 1, SENDER)
    const refused = charges.open('contoso', 'unregistered', RECIPIENT, 2, SENDER)
    charges.settle(() => true)
    assert.deepEqual(refunded, [])
    charges.close([late], 'counted')
    charges.close([lost], 'unknown')
    charges.close([refused], 'none')
    assert.deepEqual(refunded, [
      ['contoso', 'F1.1', [1]],
      ['contoso', 'F1.1', [2]],
    ])
  })

  it('of unseen recipients are made when the message has been accepted, under one more ordinal', () => {
    counted()
    charges.settle(() => true)
    charges.chargeAccepted('contoso', 'unregistered', 40, SENDER)
    charges.chargeAccepted('contoso', 'null', 2, SENDER)
    assert.deepEqual(
      settled.map(({ meter, ordinals, accepted }) => [meter, ordinals, accepted]),
      [
        ['unregistered', [2], 40],
        ['null', [2], 2],
      ],
    )
  })

  it('may be refunded one by one, and are not refunded again', () => {
    const charge = counted()
    counted()
    charges.refund([charge])
    charges.refund([charge])
    assert.deepEqual(refunded, [['contoso', 'F1.1', [1]]])
    charges.settle(() => false)
    assert.deepEqual(refunded.slice(1), [['contoso', 'F1.1', [2]]])
  })

  it('of a message are refunded in one call, before or after the end', () => {
    const message = (state: Exclude<ChargeState, 'pending'>): RecipientCharge[] => {
      const all = [0, 1, 2].map((rank) =>
        charges.open('contoso', 'unregistered', RECIPIENT, rank, SENDER),
      )
      charges.close(all, state)
      return all
    }
    charges.refund(message('held'))
    const late = [3, 4].map((rank) =>
      charges.open('contoso', 'unregistered', RECIPIENT, rank, SENDER),
    )
    charges.settle(() => true)
    charges.close(late, 'counted')
    assert.deepEqual(refunded, [
      ['contoso', 'F1.1', [1, 2, 3]],
      ['contoso', 'F1.1', [4, 5]],
    ])
  })

  it('that were never made are closed by a refund', () => {
    charges.refund([charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER)])
    assert.deepEqual(
      charges.settle(() => true),
      { accepted: 0, refunded: 0 },
    )
    assert.deepEqual(refunded, [])
  })

  it('count for those that got the message, or had passed and did not, or are not answered yet; once', () => {
    for (const passes of [true, true, true, false]) counted().passes = passes
    charges.open('contoso', 'unregistered', RECIPIENT, 1, SENDER)
    const isFirst = ({ ordinal }: RecipientCharge): boolean => ordinal === 1
    assert.deepEqual(charges.settle(isFirst), { accepted: 1, refunded: 3 })
    assert.deepEqual(charges.settle(isFirst), { accepted: 0, refunded: 0 })
  })

  it('that are refunded after the end are refunded once', () => {
    const charge = charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER)
    charges.settle(() => true)
    charges.close([charge], 'unknown')
    charges.refund([charge])
    assert.deepEqual(refunded, [['contoso', 'F1.1', [1]]])
  })

  it('of two tenants are refunded to each of them', () => {
    counted('contoso')
    counted('fabrikam')
    counted('contoso')
    charges.settle(() => false)
    assert.deepEqual(refunded, [
      ['contoso', 'F1.1', [1, 3]],
      ['fabrikam', 'F1.1', [2]],
    ])
  })

  it('that are held are refunded where the message was not accepted, and their proof too', () => {
    const charge = charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER)
    charges.close([charge], 'held')
    charge.signatures = ['s1']
    charges.settle(() => false)
    assert.deepEqual([refunded, proofs, settled], [[['contoso', 'F1.1', [1]]], ['s1'], []])
  })

  it('that are still held where it was accepted are charged as unregistered', () => {
    for (const tenant of ['contoso', 'contoso', 'fabrikam', 'contoso']) {
      const charge = charges.open(tenant, 'unregistered', RECIPIENT, 0, SENDER)
      charge.passes = true
      charges.close([charge], 'held')
    }
    charges.settle(({ ordinal }) => ordinal !== 4)
    const settlement = { transaction: 'F1.1', meter: 'unregistered', ...SENDER, signatures: [] }
    assert.deepEqual(settled, [
      { ...settlement, tenant: 'contoso', ordinals: [1, 2] },
      { ...settlement, tenant: 'fabrikam', ordinals: [3] },
    ])
    assert.deepEqual(refunded, [['contoso', 'F1.1', [4]]])
  })

  it('that are proven to be of a forward, and still held where it was accepted, are charged as that', () => {
    const all = [0, 1].map((rank) =>
      charges.open('contoso', 'unregistered', RECIPIENT, rank, SENDER),
    )
    charges.close(all, 'held')
    for (const charge of all) charge.passes = true
    all[1]!.signatures = ['s1']
    charges.settle(() => true)
    const proven = { meter: 'forwarded', otherwise: 'unregistered', signatures: ['s1'] }
    const settlement = { transaction: 'F1.1', ...SENDER, ...proven }
    assert.deepEqual(settled, [{ ...settlement, tenant: 'contoso', ordinals: [1, 2] }])
  })

  it('that are held after the end are refunded then', () => {
    const late = charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER)
    charges.settle(() => true)
    charges.close([late], 'held')
    assert.deepEqual([refunded, settled], [[['contoso', 'F1.1', [1]]], []])
  })

  it('due at the end of DATA are those that passed and are held, or perhaps are', () => {
    const states = ['held', 'unknown', 'counted', 'none'] as const
    for (const state of states)
      charges.close([charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER)], state)
    assert.deepEqual(charges.held(), [])
    const passing = states.map((state) => {
      const charge = charges.open('contoso', 'unregistered', RECIPIENT, 0, SENDER)
      charge.passes = true
      charges.close([charge], state)
      return charge
    })
    assert.deepEqual(charges.held(), [['contoso', passing.slice(0, 2)]])
  })

  it('of the null sender are never charged with those of the message, whatever their state', () => {
    for (const state of ['held', 'unknown', 'counted'] as const) {
      const charge = charges.open('contoso', 'null', RECIPIENT, 0, SENDER)
      charge.passes = true
      charges.close([charge], state)
    }
    assert.deepEqual(charges.held(), [])
    charges.settle(() => true)
    assert.deepEqual([settled, refunded], [[], []])
  })

  it('ask nothing and give nothing back where there are none', () => {
    charges.settle(() => assert.fail('asked'))
    assert.deepEqual(refunded, [])
  })

  it('are each refunded at most once, and never one that was accepted, in any order of events', () => {
    const state = fc.constantFrom<Exclude<ChargeState, 'pending'>>('counted', 'unknown', 'none')
    const recipient = fc.record({
      state,
      taken: fc.boolean(),
      late: fc.boolean(),
      drop: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(recipient, { maxLength: 8 }), (recipients) => {
        const given: number[] = []
        const each = new Charges(
          'F1.1',
          (_tenant, _transaction, ordinals) => given.push(...ordinals),
          () => assert.fail('nothing was held'),
        )
        const opened = recipients.map((facts, rank) => ({
          ...facts,
          charge: each.open('t', 'unregistered', RECIPIENT, rank, SENDER),
        }))
        const close = (late: boolean) => {
          for (const one of opened.filter((open) => open.late === late)) {
            each.close([one.charge], one.state)
            if (one.drop) each.refund([one.charge])
          }
        }
        close(false)
        each.settle((charge) => recipients[charge.rank]!.taken)
        close(true)
        // A late answer finds its transaction over: its recipient was never told that it is accepted.
        const expected = opened
          .filter((one) => one.state !== 'none' && (one.late || one.drop || !one.taken))
          .map((one) => one.charge.ordinal)
        assert.deepEqual(given.sort(), expected.sort())
      }),
    )
  })
})
