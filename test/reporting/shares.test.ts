import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DatedRow } from '../../src/reporting/reader'
import { ReportReader } from '../../src/reporting/reader'
import { OTHER } from '../../src/reporting/rows'
import { readShares, sharesOf, sharesText, type Share } from '../../src/reporting/shares'
import { NOON } from '../support/clock'
import { newSite, useRedis } from '../support/registry'
import { countsOf, record, sourceOf, type Mail } from '../support/reports'

useRedis()

const WEB = { connector: 'contoso/web', ip: '192.0.2.20', user: 'shop' }
const EXCHANGE = { connector: 'contoso/exchange', domain: 'news.example' }

function row(mail: Partial<Mail>): DatedRow {
  const dated = { at: NOON, ...mail }
  return { class: 'unregistered', ...sourceOf(mail), at: NOON, counts: countsOf(dated) }
}

const MAIL = [
  row({ ...EXCHANGE, accepted: 7 }),
  row({ ...WEB, accepted: 293, messages: { accepted: 59 } }),
]

const brief = (shares: readonly Share[]): unknown[] =>
  shares.map(({ value, messages, recipients, share }) => [
    value,
    messages,
    recipients,
    share.toFixed(3),
  ])

describe('the shares of mail', () => {
  it('are those of each connector, domain, address and user, the most recipients first', () => {
    const shares = sharesOf(MAIL)
    assert.deepEqual([shares.messages, shares.recipients], [66, 300])
    assert.deepEqual(brief(shares.connector), [
      ['contoso/web', 59, 293, '0.977'],
      ['contoso/exchange', 7, 7, '0.023'],
    ])
    assert.deepEqual(brief(shares.domain), [
      ['lure.example', 59, 293, '0.977'],
      ['news.example', 7, 7, '0.023'],
    ])
    assert.deepEqual(brief(shares.ip), [
      ['192.0.2.20', 59, 293, '0.977'],
      ['192.0.2.1', 7, 7, '0.023'],
    ])
    assert.deepEqual(brief(shares.user), [
      ['shop', 59, 293, '0.977'],
      ['', 7, 7, '0.023'],
    ])
  })

  it('count a message refused at MAIL as one recipient, and nothing that was deferred', () => {
    const refused = row({ ...WEB, messages: { refused: 9 } })
    const deferred = row({ ...EXCHANGE, deferred: 50 })
    assert.deepEqual(brief(sharesOf([deferred, refused]).connector), [
      ['contoso/web', 9, 9, '1.000'],
    ])
    assert.deepEqual(sharesOf([]).connector, [])
  })

  it('have (other) last, and beside each connector its registered mail', () => {
    const shares = sharesOf(
      [row({ connector: OTHER, accepted: 900 }), ...MAIL],
      [
        { at: NOON, class: 'registered', connector: 'contoso/web', counts: MAIL[0]!.counts },
        { at: NOON, class: 'registered', connector: 'contoso/web', counts: MAIL[0]!.counts },
        { at: NOON, class: 'unregistered', connector: 'contoso/web', counts: MAIL[1]!.counts },
      ],
    )
    assert.deepEqual(
      shares.connector.map(({ value, registered }) => [value, registered.accepted]),
      [
        ['contoso/web', 14],
        ['contoso/exchange', 0],
        [OTHER, 0],
      ],
    )
  })

  it('are those of the mail that the meter counts', async () => {
    const { store } = newSite()
    await record(
      store,
      'contoso',
      { at: NOON, accepted: 5, ...WEB },
      { at: NOON, accepted: 2, ...WEB, class: 'foreign', domain: 'fabrikam.example' },
      { at: NOON, accepted: 3, ...EXCHANGE, class: 'forwarded' },
      { at: NOON, accepted: 40, ...WEB, class: 'registered' },
    )
    const reader = new ReportReader(store)
    const usual = await readShares(reader, 'contoso', NOON, NOON + 1)
    assert.deepEqual(
      usual.connector.map((each) => [each.value, each.recipients, each.registered.accepted]),
      [['contoso/web', 7, 40]],
    )
    const forwarded = await readShares(reader, 'contoso', NOON, NOON + 1, 'forwarded')
    assert.deepEqual(brief(forwarded.domain), [['news.example', 3, 3, '1.000']])
  })
})

describe('shares in one line', () => {
  it('name connectors without their tenant, and say how many more there are', () => {
    const shares = sharesOf(MAIL)
    assert.equal(sharesText(shares, 'connector'), 'web 59/293; exchange 7/7')
    const more = [3, 2, 1].map((each) => row({ connector: `contoso/c${each}`, accepted: each }))
    assert.equal(
      sharesText(sharesOf([...MAIL, ...more]), 'connector'),
      'web 59/293; exchange 7/7; c3 3/3; 2 more',
    )
    assert.equal(sharesText(shares, 'user'), 'shop 59/293; (none) 7/7')
    assert.equal(sharesText(sharesOf([]), 'ip'), '')
  })

  it('leave the network of an IPv6 address as it is, and no control character of a sender', () => {
    const shares = sharesOf([row({ ip: '2001:db8::/64', user: 'a\u001b[2Jb', accepted: 1 })])
    assert.equal(sharesText(shares, 'ip'), '2001:db8::/64 1/1')
    assert.equal(sharesText(shares, 'user'), 'a[2Jb 1/1')
  })
})
