import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DAY } from '../../src/reporting/calendar'
import type { DnsFacts } from '../../src/suggest/dns-facts'
import type { Candidate, Yardstick } from '../../src/suggest/candidate'
import { byLikeness, rank, type Class, type Ranked } from '../../src/suggest/rank'
import { NOON } from '../support/clock'

/** A domain without any record. */
const BARE: DnsFacts = { mx: [], address: false, spf: null, rua: [] }
const SITE: DnsFacts = { ...BARE, mx: ['mx.hosting.example'], address: true }

const CONTOSO: DnsFacts = {
  mx: ['contoso-com.mail.protection.outlook.com'],
  address: true,
  spf: { includes: ['spf.protection.outlook.com', '_spf.contoso.com'], networks: ['192.0.2.0/28'] },
  rua: ['contoso.com'],
}

const YARDSTICK: Yardstick = {
  accepted: ['contoso.com', 'mail.tiny.co.uk', 'hq.example'],
  acceptedDns: new Map([['contoso.com', CONTOSO]]),
  networks: ['192.0.2.1/32', '2001:db8:7::/48'],
  trip: NOON,
  now: NOON + DAY,
}

interface Seen {
  /** Accepted recipients on each day. */
  daily?: number[]
  /** Days before the trip. */
  since?: number
  together?: number
  dns?: Partial<DnsFacts> | undefined
}

const days = (number: number, recipients = 5): number[] =>
  Array.from({ length: number }, () => recipients)

function candidate(
  domain: string,
  { daily = days(20), since = 40, together = 0, ...rest }: Seen,
): Candidate {
  return {
    domain,
    recipients: daily.reduce((sum, each) => sum + each, 0),
    messages: daily.length,
    connectors: ['contoso/mx'],
    daily,
    firstSeen: NOON - since * DAY,
    lastSeen: NOON,
    together,
    dns: 'dns' in rest ? rest.dns && { ...SITE, ...rest.dns } : SITE,
  }
}

function judged(domain: string, seen: Seen, yardstick = YARDSTICK): Ranked {
  return rank([candidate(domain, seen)], yardstick)[0]!
}

const saying = ({ reasons }: Ranked): string => reasons.map(({ text }) => text).join('; ')

describe('rank', () => {
  const cases: readonly (readonly [string, string, Seen, Class, RegExp])[] = [
    [
      'the own brand under another suffix',
      'contoso.de',
      {},
      'own',
      /called contoso, as accepted contoso\.com/,
    ],
    ['the own brand without DNS', 'contoso.de', { dns: undefined }, 'own', /seen on 20 days/],
    [
      'a name below the accepted one’s organisation',
      'news.contoso.com',
      { daily: days(3) },
      'own',
      /in contoso\.com, as accepted contoso\.com/,
    ],
    [
      'a name beside the accepted one',
      'tiny.co.uk',
      { daily: days(3) },
      'own',
      /in tiny\.co\.uk, as accepted mail\.tiny\.co\.uk/,
    ],
    [
      'another brand whose mail goes to the tenant',
      'fabrikam.com',
      { dns: { mx: ['mx2.contoso.com'], rua: ['contoso.com'] } },
      'own',
      /MX is mx2\.contoso\.com, the tenant's own; DMARC reports go to contoso\.com, the tenant's own/,
    ],
    [
      'another brand by its SPF',
      'fabrikam.com',
      { dns: { spf: { includes: ['_spf.contoso.com'], networks: ['192.0.2.0/28'] } } },
      'own',
      /SPF includes _spf\.contoso\.com, the tenant's own; SPF lets 192\.0\.2\.1\/32 of a connector send/,
    ],
    [
      'a customer of an agency: its SPF names the agency’s server',
      'customer.example',
      {
        daily: days(60),
        since: 80,
        dns: {
          spf: { includes: [], networks: ['192.0.2.1'] },
          mx: ['customer-example.mail.protection.outlook.com'],
        },
      },
      'unclear',
      /SPF lets 192\.0\.2\.1\/32.*MX is outlook\.com, as of accepted domains.*nothing ties it/,
    ],
    [
      'a ticket system',
      'contoso.zendesk.com',
      { daily: days(60), since: 80 },
      'unclear',
      /nothing ties it to an accepted domain/,
    ],
    [
      'a lookalike with MX and SPF in place, seen two days',
      'contoso-billing.com',
      {
        daily: [400, 900],
        since: 2,
        dns: {
          mx: ['mail.contoso.com'],
          rua: ['contoso.com'],
          spf: { includes: ['_spf.contoso.com'], networks: ['192.0.2.0/28'] },
        },
      },
      'unclear',
      /its name contains that of accepted contoso\.com, as a forged name would.*first seen 2 days before the last restriction, not 14: never ranked as own/,
    ],
    [
      'the own brand, seen 13 days before',
      'contoso.de',
      { since: 13.9 },
      'unclear',
      /first seen 13 days/,
    ],
    ['the own brand, seen 14 days before', 'contoso.de', { since: 14 }, 'own', /called contoso/],
    [
      'a name below the accepted one, of yesterday',
      'x.contoso.com',
      { since: 1 },
      'unclear',
      /never ranked as own/,
    ],
    [
      'the own brand, first seen after the restriction',
      'contoso.de',
      { since: -3 },
      'unclear',
      /only after the last restriction/,
    ],
    [
      'one of many random names of one day',
      'xqkzvwpt.com',
      { daily: [90], since: 1, together: 99, dns: BARE },
      'abuse',
      /seen on one day only.*same day as 99 others.*xqkzvwpt looks random.*neither MX nor address/,
    ],
    [
      'one of many names of one day',
      'some-shop.com',
      { daily: [90], since: 1, together: 99 },
      'abuse',
      /same day as 99 others/,
    ],
    [
      'one of many random names of the last hour',
      'xqkzvwpt.com',
      { daily: [90], since: -1 + 1 / 48, together: 99, dns: BARE },
      'unclear',
      /same day as 99 others.*neither MX nor address.*first seen 30 minutes ago: too new to be ranked as abuse/,
    ],
    [
      'one that differs from an own name in letters that look alike',
      'c0ntoso.com',
      { dns: { mx: ['mx.contoso.com'], rua: ['contoso.com'], spf: CONTOSO.spf } },
      'unclear',
      /looks like accepted contoso\.com by letters that look alike/,
    ],
    ['a stranger', 'stranger.com', { daily: [3, 2], since: 20 }, 'unclear', /nothing ties it/],
    [
      'a short name under another suffix',
      'hq.com',
      { daily: days(60), since: 80 },
      'unclear',
      /nothing ties it/,
    ],
    [
      'the own brand, refused every time',
      'contoso.de',
      { daily: [] },
      'unclear',
      /its mail was never accepted/,
    ],
    ['a customer of the same public suffix', 'tailspin.co.uk', {}, 'unclear', /nothing ties it/],
  ]
  for (const [what, domain, seen, expected, reason] of cases) {
    it(`ranks ${what} as ${expected}`, () => {
      const ranked = judged(domain, seen)
      assert.equal(ranked.class, expected, `${ranked.score}: ${saying(ranked)}`)
      assert.match(saying(ranked), reason)
    })
  }

  it('shows reasons whose points add up to the score', () => {
    for (const [, domain, seen] of cases) {
      const { score, reasons } = judged(domain, seen)
      assert.equal(
        score,
        reasons.reduce((sum, { points }) => sum + points, 0),
      )
    }
  })

  it('never ranks as own a domain first seen less than 14 days before the trip', () => {
    for (const [, domain, seen] of cases) {
      const facts = {
        mx: ['mx.contoso.com'],
        rua: ['contoso.com'],
        spf: CONTOSO.spf,
        address: true,
      }
      for (const since of [0, 5, 13]) {
        const { class: found } = judged(domain, { ...seen, since, daily: days(30), dns: facts })
        assert.notEqual(found, 'own', domain)
      }
    }
  })

  it('ranks a domain that DNS did not answer for as if DNS had not been asked', () => {
    const silent: DnsFacts = { mx: undefined, address: undefined, spf: undefined, rua: undefined }
    const { reasons } = judged('stranger.com', { dns: silent })
    const unasked = judged('stranger.com', { dns: undefined })
    assert.deepEqual(reasons, unasked.reasons)
  })

  it('accepts neither the domain itself nor a provider in its DNS as a tie', () => {
    const dns: DnsFacts = {
      mx: ['x.mail.protection.outlook.com'],
      address: true,
      spf: { includes: ['spf.protection.outlook.com', '_spf.self.example'], networks: [] },
      rua: ['self.example'],
    }
    const ranked = judged('self.example', { dns })
    assert.ok(ranked.reasons.every(({ tie }) => !tie))
    assert.match(
      saying(ranked),
      /SPF includes spf\.protection\.outlook\.com, as accepted domains do/,
    )
  })

  it('sorts own before unclear before abuse, and each by score', () => {
    const seen: [string, Seen][] = [
      ['xqkzvwpt.com', { daily: [90], since: 1, together: 99, dns: BARE }],
      ['stranger.com', {}],
      ['contoso.de', {}],
      ['news.contoso.com', {}],
    ]
    const ranked = rank(
      seen.map(([domain, facts]) => candidate(domain, facts)),
      YARDSTICK,
    )
    assert.deepEqual(
      ranked.map(({ domain }) => domain),
      ['news.contoso.com', 'contoso.de', 'stranger.com', 'xqkzvwpt.com'],
    )
  })

  it('sorts by likeness to accepted names, then by class, then the longest known first', () => {
    const seen: [string, Seen][] = [
      ['xqkzvwpt.com', { daily: [90], since: 1, together: 99, dns: BARE }],
      ['stranger.com', { since: 20 }],
      ['older.com', { since: 30 }],
      ['fabrikam.com', { dns: { mx: ['mx.contoso.com'], rua: ['contoso.com'] } }],
      ['c0ntoso.com', { since: 10 }],
      ['contosso.com', { since: 1 }],
      ['contoso.de', {}],
      ['news.contoso.com', {}],
    ]
    const ranked = rank(
      seen.map(([domain, facts]) => candidate(domain, facts)),
      YARDSTICK,
    )
    assert.deepEqual(
      ranked.toSorted(byLikeness).map(({ domain }) => domain),
      [
        ...['news.contoso.com', 'contoso.de', 'contosso.com', 'fabrikam.com'],
        ...['older.com', 'stranger.com', 'c0ntoso.com', 'xqkzvwpt.com'],
      ],
    )
  })

  it('ranks 9,000 domains against 100,000 accepted ones in 20 s of CPU', () => {
    const accepted = Array.from({ length: 100_000 }, (_, at) => `brand${at}.example`)
    const many = Array.from({ length: 9000 }, (_, at) => candidate(`shop-brand${at}.com`, {}))
    const before = process.cpuUsage()
    rank(many, { ...YARDSTICK, accepted })
    const { user } = process.cpuUsage(before)
    assert.ok(user < 20e6, `${user / 1e6} s`)
  })
})
