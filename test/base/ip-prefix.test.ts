import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { InputError } from '../../src/base/errors'
import {
  contains,
  formatPrefix,
  isCovered,
  parsePrefix,
  readPrefix,
  type IpPrefix,
} from '../../src/base/ip-prefix'
import { PrefixIndex } from '../../src/base/prefix-index'

describe('parsePrefix', () => {
  const good: readonly (readonly [string, string])[] = [
    ['192.0.2.0/24', '192.0.2.0/24'],
    ['192.0.2.1', '192.0.2.1/32'],
    ['192.0.2.1/32', '192.0.2.1/32'],
    ['128.0.0.0/1', '128.0.0.0/1'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['2001:DB8:0:0:0:0:0:0/32', '2001:db8::/32'],
    ['2001:db8::1', '2001:db8::1/128'],
    ['::1', '::1/128'],
    ['::', '::/128'],
    ['8000::/1', '8000::/1'],
    ['::ffff:192.0.2.1', '192.0.2.1/32'],
    ['::ffff:c000:201', '192.0.2.1/32'],
    ['::ffff:192.0.2.0/120', '192.0.2.0/24'],
    ['0:0:0:0:0:ffff:192.0.2.0/120', '192.0.2.0/24'],
    ['::192.0.2.1', '::c000:201/128'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201/128'],
  ]
  for (const [text, prefix] of good) {
    it(`${text} → ${prefix}`, () => assert.equal(parsePrefix(text), prefix))
  }

  const bad: readonly (readonly [string, RegExp])[] = [
    ['', /not an IP prefix/],
    ['contoso.com', /"contoso.com" is not an IP prefix: write 192\.0\.2\.0\/24/],
    ['192.0.2', /not an IP prefix/],
    ['192.0.2.256', /not an IP prefix/],
    ['192.0.02.1', /not an IP prefix/],
    ['0xc0.0.2.1', /not an IP prefix/],
    ['3221225985', /not an IP prefix/],
    [' 192.0.2.1', /not an IP prefix/],
    ['[2001:db8::1]', /not an IP prefix/],
    ['fe80::1%eth0', /not an IP prefix/],
    ['192.0.2.0/', /not an IP prefix/],
    ['192.0.2.0/33', /not an IP prefix/],
    ['192.0.2.0/024', /not an IP prefix/],
    ['192.0.2.0/-1', /not an IP prefix/],
    ['192.0.2.0/1e1', /not an IP prefix/],
    ['192.0.2.0/24/24', /not an IP prefix/],
    ['192.0.2.0/255.255.255.0', /not an IP prefix/],
    ['2001:db8::/129', /not an IP prefix/],
    ['::ffff:192.0.2.0/24', /not an IP prefix.*IPv4-mapped one as IPv4/],
    ['0.0.0.0/0', /holds every address/],
    ['192.0.2.1/0', /holds every address/],
    ['::/0', /holds every address/],
    ['::ffff:0:0/96', /holds every address/],
    ['192.0.2.77/24', /write 192\.0\.2\.0\/24, or 192\.0\.2\.77\/32 for the one address/],
    ['2001:db8::1/32', /write 2001:db8::\/32, or 2001:db8::1\/128 for the one address/],
    ['::ffff:192.0.2.77/120', /write 192\.0\.2\.0\/24, or 192\.0\.2\.77\/32/],
  ]
  for (const [text, message] of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parsePrefix(text),
        (error) => error instanceof InputError && message.test(error.message),
      )
    })
  }

  it('throws nothing else, and leaves alone what it has given', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6(),
      fc
        .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: -1, max: 130 }))
        .map(([ip, length]) => `${ip}/${length}`),
    )
    fc.assert(
      fc.property(text, (given) => {
        let prefix
        try {
          prefix = parsePrefix(given)
        } catch (error) {
          assert.ok(error instanceof InputError)
          return
        }
        assert.equal(parsePrefix(prefix), prefix)
      }),
      { numRuns: 1000 },
    )
  })
})

/** Addresses close to each other, so that prefixes hold them; as numbers of their family. */
const nearV4 = fc
  .integer({ min: 0, max: 0xfff })
  .map((n) => `10.${n >> 10}.${(n >> 8) & 3}.${n & 0xff}`)
const nearV6 = fc
  .integer({ min: 0, max: 0xfff })
  .map((n) => `2001:db8:${(n >> 8).toString(16)}::${(n & 0xff).toString(16)}`)
const mapped = (v4: string): string => `::ffff:${v4}`
const v4Prefix = fc.tuple(nearV4, fc.integer({ min: 0, max: 32 }))
const v6Prefix = fc.tuple(nearV6, fc.integer({ min: 0, max: 128 }))
const prefix = fc.oneof(
  v4Prefix.map(([ip, length]) => `${ip}/${length}`),
  v4Prefix.map(([ip, length]) => `${mapped(ip)}/${length + 96}`),
  v6Prefix.map(([ip, length]) => `${ip}/${length}`),
  nearV4,
  nearV6,
)
const address = fc.oneof(
  nearV4,
  nearV4.map(mapped),
  nearV4.map((ip) => ipaddr.IPv4.parse(ip).toIPv4MappedAddress().toNormalizedString()),
  nearV6,
  nearV6.map((ip) => ipaddr.IPv6.parse(ip).toNormalizedString()),
  fc.ipV4(),
  fc.ipV6(),
)

/** The plain model: every prefix in a list, each matched by ipaddr.js, the longest kept. */
class Model {
  readonly #entries = new Map<
    string,
    { network: [ipaddr.IPv4 | ipaddr.IPv6, number]; value: number }
  >()

  add(text: string, value: number): void {
    const { key, network } = this.#read(text)
    this.#entries.set(key, { network, value })
  }

  delete(text: string): void {
    this.#entries.delete(this.#read(text).key)
  }

  get(text: string): number | undefined {
    return this.#entries.get(this.#read(text).key)?.value
  }

  find(ip: string): number | undefined {
    // ipaddr.js alone takes the IPv4-compatible ::192.0.2.1 for IPv4-mapped.
    const parsed = ipaddr.process(ip.replace(/^::(?=\d+\.)/, '0::'))
    let best: { length: number; value: number } | undefined
    for (const { network, value } of this.#entries.values()) {
      const [start, length] = network
      if (start.kind() !== parsed.kind() || !parsed.match(start, length)) continue
      if (best === undefined || length > best.length) best = { length, value }
    }
    return best?.value
  }

  #read(text: string): { key: string; network: [ipaddr.IPv4 | ipaddr.IPv6, number] } {
    const [ip = '', length] = text.split('/')
    const written = ipaddr.parse(ip)
    const processed = ipaddr.process(ip)
    const full = written.kind() === 'ipv4' ? 32 : 128
    const bits = Number(length ?? full) - (written.kind() === processed.kind() ? 0 : 96)
    const start =
      processed.kind() === 'ipv4'
        ? ipaddr.IPv4.networkAddressFromCIDR(`${processed.toString()}/${bits}`)
        : ipaddr.IPv6.networkAddressFromCIDR(`${processed.toString()}/${bits}`)
    return { key: `${start.toString()}/${bits}`, network: [start, bits] }
  }
}

describe('PrefixIndex', () => {
  it('finds the longest prefix', () => {
    const index = new PrefixIndex<string>()
    index.add('192.0.2.0/24', 'net')
    index.add('192.0.2.128/25', 'half')
    index.add('192.0.2.130', 'host')
    index.add('2001:db8::/32', 'v6')
    assert.equal(index.find('192.0.2.1'), 'net')
    assert.equal(index.find('192.0.2.129'), 'half')
    assert.equal(index.find('192.0.2.130'), 'host')
    assert.equal(index.find('192.0.3.1'), undefined)
    assert.equal(index.find('2001:db8:ffff::1'), 'v6')
    assert.equal(index.find('2001:db9::1'), undefined)
    index.delete('192.0.2.130')
    assert.equal(index.find('192.0.2.130'), 'half')
  })

  it('takes IPv4-mapped IPv6 for IPv4, both ways', () => {
    const index = new PrefixIndex<string>()
    index.add('192.0.2.0/24', 'plain')
    index.add('::ffff:198.51.100.0/120', 'mapped')
    index.add('::/1', 'v6')
    assert.equal(index.find('::ffff:192.0.2.1'), 'plain')
    assert.equal(index.find('::FFFF:c000:201'), 'plain')
    assert.equal(index.find('198.51.100.1'), 'mapped')
    assert.equal(index.find('::ffff:203.0.113.1'), undefined)
    // IPv4-compatible, and NAT64: these are IPv6.
    assert.equal(index.find('::192.0.2.1'), 'v6')
    assert.equal(index.find('64:ff9b::192.0.2.1'), 'v6')
  })

  it('finds a link-local address with its zone', () => {
    const index = new PrefixIndex<string>()
    index.add('fe80::/10', 'link')
    assert.equal(index.find('fe80::1%eth0'), 'link')
    assert.equal(index.find('fe80::1%vlan-7.1'), 'link')
  })

  it('finds nothing for what is no address, and adds nothing for what is no prefix', () => {
    const index = new PrefixIndex<string>()
    index.add('0.0.0.0/0', 'all')
    index.add('::/0', 'all')
    const garbage = [
      '',
      'contoso.com',
      '192.0.2',
      '192.0.02.1',
      '0x7f.1',
      '1',
      '192.0.2.1/32',
      '192.0.2.1%eth0',
      '[::1]',
      ':::',
    ]
    for (const text of garbage) assert.equal(index.find(text), undefined, text)
    for (const text of ['contoso.com', '192.0.2.0/33', '192.0.2.0/x', '::ffff:192.0.2.0/24', '']) {
      index.add(text, 'garbage')
      assert.equal(index.get(text), undefined)
      index.delete(text)
    }
    assert.equal(index.find('192.0.2.1'), 'all')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        index.find(text)
        index.delete(text)
      }),
    )
  })

  it('does as the plain model does', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ add: prefix, value: fc.nat(100) }) },
      { weight: 1, arbitrary: fc.record({ remove: prefix }) },
    )
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30 }),
        fc.array(address, { maxLength: 20 }),
        (steps, addresses) => {
          const index = new PrefixIndex<number>()
          const model = new Model()
          const added: string[] = []
          for (const each of steps) {
            if ('add' in each) {
              index.add(each.add, each.value)
              model.add(each.add, each.value)
              added.push(each.add)
            } else {
              // Mostly what is there.
              const gone = added.pop() ?? each.remove
              index.delete(gone)
              model.delete(gone)
            }
          }
          for (const text of added) assert.equal(index.get(text), model.get(text), text)
          for (const ip of addresses) assert.equal(index.find(ip), model.find(ip), ip)
          for (const text of added) {
            const [ip = ''] = text.split('/')
            assert.equal(index.find(ip), model.find(ip), ip)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

const range = (text: string): IpPrefix => readPrefix(text)!
const isCoveredBy = (text: string, ...others: string[]): boolean =>
  isCovered(range(text), others.map(range))

describe('a prefix', () => {
  it('is covered by one wider or equal range', () => {
    assert.ok(isCoveredBy('192.0.2.0/24', '192.0.2.0/24'))
    assert.ok(isCoveredBy('192.0.2.7/32', '198.51.100.0/24', '192.0.2.0/24'))
    assert.ok(isCoveredBy('2001:db8:1::/48', '2001:db8::/32'))
  })

  it('is covered by several together', () => {
    assert.ok(isCoveredBy('192.0.2.0/24', '192.0.2.0/25', '192.0.2.128/25'))
    assert.ok(isCoveredBy('192.0.2.0/24', '192.0.2.192/26', '192.0.2.0/25', '192.0.2.128/26'))
  })

  it('is not covered with a gap, nor by the other family', () => {
    assert.ok(!isCoveredBy('192.0.2.0/24'))
    assert.ok(!isCoveredBy('192.0.2.0/24', '192.0.2.0/25', '192.0.2.129/32'))
    assert.ok(!isCoveredBy('2001:db8::/32', '32.1.0.0/16', '0.0.0.0/0'))
  })

  it('contains itself and longer ones of its family', () => {
    assert.ok(contains(range('192.0.2.0/24'), range('192.0.2.0/24')))
    assert.ok(contains(range('192.0.2.0/24'), range('::ffff:192.0.2.7')))
    assert.ok(!contains(range('192.0.2.0/25'), range('192.0.2.0/24')))
    assert.ok(!contains(range('::/0'), range('192.0.2.7')))
  })

  it('is written without the bits behind its length', () => {
    assert.equal(formatPrefix(range('192.0.2.7/24')), '192.0.2.0/24')
    assert.equal(formatPrefix(range('2001:db8::7/32')), '2001:db8::/32')
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
          isCoveredBy(one.text, ...others.map(({ text }) => text)),
          addresses(one).every((address) => covered.has(address)),
        )
      }),
    )
  })
})
