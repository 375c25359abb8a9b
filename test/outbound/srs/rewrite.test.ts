import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isSrs, type Sides } from '../../../src/outbound/srs/address'
import { hashOf } from '../../../src/outbound/srs/hash'
import { rewriteSender } from '../../../src/outbound/srs/rewrite'
import { isCurrent, stampOf } from '../../../src/outbound/srs/stamp'
import { unwrap } from '../../../src/outbound/srs/unwrap'

const DAY = 86_400_000
const NOW = 1_790_000_000_000
const KEYS = { domain: 'srs.relay.example', secrets: ['0123456789abcdef'] }
const OTHER = { domain: 'fwd.other.example', secrets: ['fedcba9876543210'] }

function rewritten(sender: Sides, keys = KEYS, time = NOW): Sides {
  const result = rewriteSender(sender, keys, time)
  assert.ok('to' in result, JSON.stringify(result))
  return result.to
}

const atom = fc.stringMatching(/^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,12}$/)
const user = fc.array(atom, { minLength: 1, maxLength: 2 }).map((atoms) => atoms.join('.'))
const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,6}[a-z0-9])?$/)
const domain = fc.tuple(label, label).map((labels) => `${labels.join('.')}.example`)
const sender = fc.record({ user, domain }, { noNullPrototype: true }) satisfies fc.Arbitrary<Sides>

describe('a rewritten sender', () => {
  it('is unwrapped to the sender that it was, until it is too old', () => {
    fc.assert(
      fc.property(
        sender,
        fc.integer({ min: 0, max: 21 }),
        fc.nat(DAY - 1),
        (from, days, within) => {
          fc.pre(!isSrs(from.user))
          const made = rewriteSender(from, KEYS, NOW)
          if (!('to' in made)) return
          assert.ok(made.to.user.length <= 64)
          const today = Math.floor(NOW / DAY) * DAY
          assert.deepEqual(unwrap(made.to.user, KEYS, today + days * DAY + within), { to: from })
        },
      ),
    )
  })

  it('is unwrapped whatever servers on the way made of its case, to the same mailbox but for that', () => {
    fc.assert(
      fc.property(sender, fc.boolean(), (from, up) => {
        const made = rewriteSender(from, KEYS, NOW)
        if (!('to' in made)) return
        const local = up ? made.to.user.toUpperCase() : made.to.user.toLowerCase()
        const found = unwrap(local, KEYS, NOW)
        assert.ok('to' in found)
        assert.equal(found.to.user.toLowerCase(), from.user.toLowerCase())
        assert.equal(found.to.domain, from.domain)
      }),
    )
  })

  it('is nobody any more once a character of it is another', () => {
    fc.assert(
      fc.property(sender, fc.nat(), atom, (from, at, other) => {
        const made = rewriteSender(from, KEYS, NOW)
        if (!('to' in made)) return
        const local = made.to.user
        const place = 5 + (at % (local.length - 5))
        const changed = local.slice(0, place) + other.charAt(0) + local.slice(place + 1)
        fc.pre(changed.toLowerCase() !== local.toLowerCase())
        // Its two base64 alphabets mean the same.
        fc.pre(!('-_+/'.includes(other.charAt(0)) && place < 11))
        const found = unwrap(changed, KEYS, NOW)
        // The published hash runs host and user together, so their border may move; to no other characters.
        const characters = (sides: Sides): string => (sides.domain + sides.user).toLowerCase()
        if ('to' in found) assert.equal(characters(found.to), characters(from))
      }),
    )
  })

  it('goes back to its first forwarder directly, however many there were', () => {
    fc.assert(
      fc.property(sender, (from) => {
        fc.pre(!isSrs(from.user))
        const first = rewriteSender(from, { ...OTHER, domain: 'first.example' }, NOW)
        if (!('to' in first)) return
        const second = rewriteSender(first.to, OTHER, NOW)
        if (!('to' in second)) return
        const third = rewriteSender(second.to, KEYS, NOW)
        if (!('to' in third)) return
        // It does not grow from the second forwarder on.
        assert.equal(third.to.user.length, second.to.user.length)
        assert.deepEqual(unwrap(third.to.user, KEYS, NOW), { to: first.to })
      }),
    )
  })

  it('that comes by us again is our own address again, and no mail to ourselves', () => {
    const ours = rewritten({ user: 'alice', domain: 'origin.example' })
    const theirs = rewritten(ours, OTHER)
    assert.match(theirs.user, /^SRS1=.{6}=srs\.relay\.example==/)
    assert.deepEqual(rewritten(theirs), ours)
    assert.deepEqual(rewriteSender(ours, KEYS, NOW), { stays: 'own' })
    assert.deepEqual(rewriteSender({ ...ours, domain: 'SRS.Relay.example' }, KEYS, NOW), {
      stays: 'own',
    })
  })

  it('is good for 21 days after that of its stamp, and a day before', () => {
    const stamp = stampOf(NOW)
    const good = (days: number): boolean => isCurrent(stamp, NOW + days * DAY)
    assert.deepEqual([-2, -1, 0, 21, 22, 500, 1022].map(good), [
      false,
      true,
      true,
      true,
      false,
      false,
      false,
    ])
    const { user: local } = rewritten({ user: 'alice', domain: 'origin.example' })
    assert.deepEqual(unwrap(local, KEYS, NOW + 22 * DAY), { refused: 'expired' })
    // Who has not made it does not learn that.
    assert.deepEqual(unwrap(local, OTHER, NOW + 22 * DAY), { refused: 'unknown' })
  })
})

describe('a sender', () => {
  it('stays where the rewritten one would be longer than 64 octets', () => {
    // SRS0=HHHHHH=TT=example.com=
    const fits = { user: 'u'.repeat(64 - 27), domain: 'example.com' }
    assert.equal(rewritten(fits).user.length, 64)
    assert.deepEqual(rewriteSender({ ...fits, user: `${fits.user}u` }, KEYS, NOW), {
      stays: 'too-long',
    })
  })

  for (const local of ['"john doe"', '"a@b"', 'jürgen', 'a..b', '.a', '', 'a b', '"a"', 'a\r\nb']) {
    it(`stays where its local part is ${JSON.stringify(local)}`, () => {
      assert.deepEqual(rewriteSender({ user: local, domain: 'origin.example' }, KEYS, NOW), {
        stays: 'not-plain',
      })
    })
  }

  it('that only looks like SRS1 is rewritten as any other', () => {
    for (const local of ['SRS1=x', 'SRS1=x=127.0.0.1==y', 'SRS1=x=host.example=y', 'srs1-joe']) {
      const made = rewritten({ user: local, domain: 'origin.example' })
      assert.match(made.user, /^SRS0=/)
      assert.deepEqual(unwrap(made.user, KEYS, NOW), {
        to: { user: local, domain: 'origin.example' },
      })
    }
  })
})

describe('an address that nobody here has made', () => {
  const hostile = [
    'SRS0',
    'SRS0=',
    'SRS0====',
    'SRS0=AAAAAA=AA=origin.example=alice',
    'SRS0=aaaa=AA=origin.example=alice',
    'SRS0=AAAAAAAAAAAAAAAAAAAAAAAAAAAA=AA=origin.example=alice',
    'SRS1=AAAAAA=origin.example==AAAAAA=AA=x.example=alice',
    'SRS1=AAAAAA=origin.example',
    'SRS0=AAAAAA=AA=origin.example=victim%far.example',
    'SRS0=AAAAAA=!!=origin.example=alice',
    'SRS0=AAAAAA=AA=[127.0.0.1]=alice',
    'SRS0=ÄÄÄÄÄÄ=AA=origin.example=alice',
    `SRS0=${'='.repeat(10_000)}`,
    'alice',
    '',
  ]
  for (const local of hostile) {
    it(`leads nowhere: ${local.slice(0, 60)}`, () => {
      assert.deepEqual(unwrap(local, KEYS, NOW), { refused: 'unknown' })
    })
  }

  it('leads nowhere, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('SRS0=', 'SRS1+', 'srs0-', ''), (text, tag) => {
        assert.ok('refused' in unwrap(tag + text, KEYS, NOW))
      }),
    )
  })

  it('leads nowhere even where its hash is right, unless mail could be sent there', () => {
    const to = (user: string, domain: string): string =>
      // Signs what rewriteSender would not.
      `SRS0=${hashOf(KEYS.secrets[0]!, [stampOf(NOW), domain, user])}=${stampOf(NOW)}=${domain}=${user}`
    assert.ok('to' in unwrap(to('alice', 'origin.example'), KEYS, NOW))
    for (const [local, host] of [
      ['a b', 'origin.example'],
      ['a@b', 'origin.example'],
      ['a\r\nRCPT', 'origin.example'],
      ['alice', '[127.0.0.1]'],
      ['alice', '127.0.0.1'],
      ['alice', 'not..a..domain'],
      ['alice', KEYS.domain],
      ['a'.repeat(65), 'origin.example'],
    ] as const) {
      assert.deepEqual(unwrap(to(local, host), KEYS, NOW), { refused: 'unknown' }, local + host)
    }
  })
})
