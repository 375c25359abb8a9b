import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Range } from '../../src/cli/doctor/range'

const ranges = (...texts: string[]): Range[] => texts.map((text) => Range.parse(text))
const range = (text: string): Range => Range.parse(text)

describe('Range', () => {
  it('is covered by one wider or equal range', () => {
    assert.ok(range('192.0.2.0/24').isCoveredBy(ranges('192.0.2.0/24')))
    assert.ok(range('192.0.2.7/32').isCoveredBy(ranges('198.51.100.0/24', '192.0.2.0/24')))
    assert.ok(range('2001:db8:1::/48').isCoveredBy(ranges('2001:db8::/32')))
  })

  it('is covered by several together', () => {
    assert.ok(range('192.0.2.0/24').isCoveredBy(ranges('192.0.2.0/25', '192.0.2.128/25')))
    assert.ok(
      range('192.0.2.0/24').isCoveredBy(ranges('192.0.2.192/26', '192.0.2.0/25', '192.0.2.128/26')),
    )
  })

  it('is not covered with a gap, nor by the other family', () => {
    assert.ok(!range('192.0.2.0/24').isCoveredBy([]))
    assert.ok(!range('192.0.2.0/24').isCoveredBy(ranges('192.0.2.0/25', '192.0.2.129/32')))
    assert.ok(!range('2001:db8::/32').isCoveredBy(ranges('32.1.0.0/16', '0.0.0.0/0')))
  })

  it('drops host bits', () => {
    assert.equal(range('192.0.2.7/24').toString(), '192.0.2.0/24')
    assert.equal(range('2001:db8::7/32').toString(), '2001:db8::/32')
  })

  it('agrees with looking at every address', () => {
    const prefix = fc
      .record({ host: fc.integer({ min: 0, max: 255 }), length: fc.integer({ min: 24, max: 32 }) })
      .map(({ host, length }) => ({ host, length, text: `192.0.2.${host}/${length}` }))
    const addresses = ({ host, length }: { host: number; length: number }): number[] => {
      const size = 2 ** (32 - length)
      const start = Math.floor(host / size) * size
      return Array.from({ length: size }, (_, at) => start + at)
    }
    fc.assert(
      fc.property(prefix, fc.array(prefix, { maxLength: 8 }), (one, others) => {
        const covered = new Set(others.flatMap(addresses))
        assert.equal(
          range(one.text).isCoveredBy(ranges(...others.map(({ text }) => text))),
          addresses(one).every((address) => covered.has(address)),
        )
      }),
    )
  })
})
