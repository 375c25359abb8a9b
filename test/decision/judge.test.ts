import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { envelopeDomain, parseEnvelope, type HarakaAddress } from '../../src/names/envelope'
import {
  judge,
  modeOf,
  takesOneRecipient,
  type Judgement,
  type Situation,
} from '../../src/decision/judge'
import { standingOf } from '../../src/decision/classify'
import { formatReply, REPLIES } from '../../src/decision/reply'
import type { Known, Snapshot } from '../../src/directory/snapshot'
import {
  ATTRIBUTED,
  BLOCKED,
  configWith,
  DISABLED,
  NONE,
  snapshotWith,
  UNDECIDABLE,
} from '../support/judgement'

const AMBIGUOUS = { kind: 'ambiguous', connectors: ['a/mx', 'b/mx'] } as const
const REGISTERED = 'anna@contoso.com'
const UNREGISTERED = 'anna@other.example'
const OWN = 'bob@sub.contoso.com'
const FOREIGN = 'bob@far.example'
const SHARED = 'bob@customers.agency.example'

const addresses = new Map<string, HarakaAddress>()

/** Parsed once for the many situations. */
function address(text: string): HarakaAddress {
  const known = addresses.get(text) ?? parseEnvelope(text)
  addresses.set(text, known)
  return known
}

function standing(sender: string, snapshot: Known) {
  return standingOf(envelopeDomain(address(sender)), snapshot)
}

type Facts = Partial<Omit<Situation, 'sender' | 'recipient'>> & { sender?: string; to?: string }

/** A relaying session of contoso at MAIL, or after RCPT where there is a recipient, unless changed. */
function situation({ sender = UNREGISTERED, to, ...facts }: Facts): Situation {
  const snapshot = 'snapshot' in facts ? facts.snapshot : snapshotWith()
  return {
    stage: to === undefined ? 'mail' : 'rcpt_ok',
    relaying: true,
    attribution: ATTRIBUTED,
    config: configWith(),
    ...facts,
    snapshot,
    sender: standing(sender, snapshot),
    recipient: to === undefined ? undefined : address(to),
  }
}

/** Verdict and reason, and the meter or the reply. */
function brief(judgement: Judgement): string {
  const { verdict, reason } = judgement
  if (judgement.verdict === 'charge') return `charge ${judgement.meter}`
  if ('reply' in judgement) return `${formatReply(judgement.reply).slice(0, 9)} ${reason}`
  return `${verdict} ${reason}`
}

const restricted = snapshotWith({ restricted: 'unregistered' })
const restrictedAll = snapshotWith({ restricted: 'all' })
const atRcpt = configWith({ main: { refuse_at: 'rcpt' } })
const deny = configWith({ attribution: { unknown: 'deny' } })
const accept = configWith({ outage: { unregistered: 'accept' } })
const monitor = configWith({ main: { mode: 'monitor' } })
const off = configWith({ main: { mode: 'off' } })
const monitorAll = configWith({ main: { override: 'monitor' } })
const offAll = configWith({ main: { override: 'off' } })

const CASES: readonly (readonly [string, Facts, string])[] = [
  ['a session that does not relay', { relaying: false }, 'ignore not-relaying'],
  [
    'a session that does not relay, restricted',
    { relaying: false, snapshot: restrictedAll, to: FOREIGN },
    'ignore not-relaying',
  ],
  [
    'a session that does not relay, with an empty cache',
    { relaying: false, attribution: UNDECIDABLE, snapshot: undefined },
    'ignore not-relaying',
  ],

  ['no tenant', { attribution: NONE, snapshot: undefined }, 'ignore no-tenant'],
  [
    'no tenant, deny',
    { attribution: NONE, snapshot: undefined, config: deny },
    '550 5.7.6 no-tenant',
  ],
  [
    'no tenant, deny, at RCPT',
    { attribution: NONE, snapshot: undefined, config: deny, to: FOREIGN },
    '550 5.7.6 no-tenant',
  ],
  [
    'no tenant, deny, null sender',
    { attribution: NONE, snapshot: undefined, config: deny, sender: '' },
    '550 5.7.6 no-tenant',
  ],
  [
    'no tenant, deny, in monitor',
    {
      attribution: NONE,
      snapshot: undefined,
      config: configWith({ attribution: { unknown: 'deny' }, main: { mode: 'monitor' } }),
    },
    'ignore no-tenant',
  ],
  [
    'no tenant, deny, under the override',
    {
      attribution: NONE,
      snapshot: undefined,
      config: configWith({ attribution: { unknown: 'deny' }, main: { override: 'monitor' } }),
    },
    'ignore no-tenant',
  ],

  [
    'connectors never loaded',
    { attribution: UNDECIDABLE, snapshot: undefined },
    '451 4.3.0 connectors-unknown',
  ],
  [
    'connectors never loaded, outage=accept',
    { attribution: UNDECIDABLE, snapshot: undefined, config: accept },
    '451 4.3.0 connectors-unknown',
  ],
  [
    'connectors never loaded, monitor by default: a tenant may enforce',
    { attribution: UNDECIDABLE, snapshot: undefined, config: monitor },
    '451 4.3.0 connectors-unknown',
  ],
  [
    'connectors never loaded, under the override',
    { attribution: UNDECIDABLE, snapshot: undefined, config: monitorAll },
    'pass tenant-unknown',
  ],
  [
    'an owner that could not be looked up',
    { attribution: { kind: 'ask-owner', domain: 'contoso.com' }, snapshot: undefined },
    '451 4.3.0 connectors-unknown',
  ],

  [
    'an AUTH user spelled like those of two connectors, outage=accept',
    { attribution: AMBIGUOUS, snapshot: undefined, config: accept },
    '451 4.3.0 user-ambiguous',
  ],
  [
    'an AUTH user spelled like those of two connectors, under the override',
    { attribution: AMBIGUOUS, snapshot: undefined, config: monitorAll },
    'pass tenant-unknown',
  ],

  ['a disabled connector', { attribution: DISABLED }, '550 5.7.6 connector-disabled'],
  [
    'a disabled connector, registered sender',
    { attribution: DISABLED, sender: REGISTERED },
    '550 5.7.6 connector-disabled',
  ],
  [
    'a disabled connector, tenant unknown',
    { attribution: DISABLED, snapshot: undefined },
    '550 5.7.6 connector-disabled',
  ],
  [
    'a disabled connector in monitor',
    { attribution: DISABLED, snapshot: snapshotWith({ mode: 'monitor' }) },
    'charge unregistered',
  ],

  ['a blocked connector', { attribution: BLOCKED }, '550 5.7.7 connector-blocked'],
  [
    'a blocked connector, registered sender',
    { attribution: BLOCKED, sender: REGISTERED },
    '550 5.7.7 connector-blocked',
  ],
  [
    'a blocked connector, registered sender, own recipient',
    { attribution: BLOCKED, sender: REGISTERED, to: OWN },
    '550 5.7.7 connector-blocked',
  ],
  [
    'a blocked connector, null sender',
    { attribution: BLOCKED, sender: '', to: OWN },
    '550 5.7.7 connector-blocked',
  ],
  [
    'a blocked connector, refuse_at=rcpt: still at MAIL',
    { attribution: BLOCKED, config: atRcpt },
    '550 5.7.7 connector-blocked',
  ],
  [
    'a blocked connector that is disabled, too',
    { attribution: { ...BLOCKED, enabled: false } },
    '550 5.7.7 connector-blocked',
  ],
  [
    'a blocked connector, tenant restricted',
    { attribution: BLOCKED, snapshot: restrictedAll },
    '550 5.7.7 connector-blocked',
  ],
  [
    'a blocked connector, tenant unknown',
    { attribution: BLOCKED, snapshot: undefined },
    '550 5.7.7 connector-blocked',
  ],
  [
    'a blocked connector, not relaying',
    { attribution: BLOCKED, relaying: false },
    'ignore not-relaying',
  ],
  [
    'a blocked connector in monitor',
    { attribution: BLOCKED, snapshot: snapshotWith({ mode: 'monitor' }) },
    'charge unregistered',
  ],
  [
    'a blocked connector, mode off',
    { attribution: BLOCKED, snapshot: snapshotWith({ mode: 'off' }) },
    'ignore off',
  ],
  [
    'a blocked connector under the override',
    { attribution: BLOCKED, config: monitorAll },
    'charge unregistered',
  ],
  ['a blocked connector, override=off', { attribution: BLOCKED, config: offAll }, 'ignore off'],

  ['a tenant that there is not', { snapshot: null }, '451 4.3.0 tenant-unknown'],
  [
    'a tenant that does not exist, which is not an outage',
    { snapshot: null, config: accept },
    '451 4.3.0 tenant-unknown',
  ],
  ['a tenant that could not be loaded', { snapshot: undefined }, '451 4.3.0 tenant-unknown'],
  [
    'a tenant that could not be loaded, null sender',
    { snapshot: undefined, sender: '', to: FOREIGN },
    '451 4.3.0 tenant-unknown',
  ],
  [
    'a tenant that could not be loaded, outage=accept',
    { snapshot: undefined, config: accept },
    'pass tenant-unknown',
  ],
  [
    'a tenant that could not be loaded, under the override',
    { snapshot: undefined, config: monitorAll },
    'pass tenant-unknown',
  ],
  [
    'a tenant that could not be loaded, off by default: it may enforce',
    { snapshot: undefined, config: off },
    '451 4.3.0 tenant-unknown',
  ],

  ['mode off', { snapshot: snapshotWith({ mode: 'off', restricted: 'all' }) }, 'ignore off'],
  ['off by default', { config: off }, 'ignore off'],
  [
    'off by default, the tenant enforces',
    { config: off, snapshot: snapshotWith({ mode: 'enforce', restricted: 'unregistered' }) },
    '550 5.7.7 restricted',
  ],
  ['override=off', { config: offAll, snapshot: restrictedAll }, 'ignore off'],
  ['override=off, nothing known', { config: offAll, attribution: UNDECIDABLE }, 'ignore off'],

  ['registered', { sender: REGISTERED }, 'pass registered'],
  ['registered, at RCPT', { sender: REGISTERED, to: FOREIGN }, 'pass registered'],
  ['registered, restricted', { sender: REGISTERED, snapshot: restricted }, 'pass registered'],
  [
    'registered, restricted, at RCPT',
    { sender: REGISTERED, snapshot: restricted, to: FOREIGN },
    'pass registered',
  ],
  ['registered, all', { sender: REGISTERED, snapshot: restrictedAll }, '550 5.7.7 restricted'],
  [
    'registered, all, refuse_at=rcpt: still at MAIL',
    { sender: REGISTERED, snapshot: restrictedAll, config: atRcpt },
    '550 5.7.7 restricted',
  ],
  [
    'registered, all, own recipient',
    { sender: REGISTERED, snapshot: restrictedAll, to: OWN },
    '550 5.7.7 restricted',
  ],
  [
    'registered, all, in monitor',
    { sender: REGISTERED, snapshot: snapshotWith({ mode: 'monitor', restricted: 'all' }) },
    'pass registered',
  ],

  ['unregistered', {}, 'charge unregistered'],
  ['unregistered, at RCPT', { to: FOREIGN }, 'charge unregistered'],
  ['unregistered, own recipient', { to: OWN }, 'pass own-recipient'],
  ['unregistered, recipient in a shared domain', { to: SHARED }, 'charge unregistered'],
  [
    'unregistered, restricted, refuse_at=rcpt, recipient in a shared domain',
    { snapshot: restricted, config: atRcpt, to: SHARED },
    '550 5.7.7 restricted',
  ],
  ['sender in a shared domain', { sender: SHARED }, 'pass registered'],
  [
    'unregistered, own recipient, when RCPT begins: not checked yet',
    { to: OWN, stage: 'rcpt' },
    'charge unregistered',
  ],
  ['unregistered, restricted', { snapshot: restricted }, '550 5.7.7 restricted'],
  [
    'unregistered, restricted, at RCPT',
    { snapshot: restricted, to: FOREIGN },
    '550 5.7.7 restricted',
  ],
  [
    'unregistered, restricted, refuse_at=rcpt',
    { snapshot: restricted, config: atRcpt },
    'charge unregistered',
  ],
  [
    'unregistered, restricted, refuse_at=rcpt, at RCPT',
    { snapshot: restricted, config: atRcpt, to: FOREIGN },
    '550 5.7.7 restricted',
  ],
  [
    'unregistered, restricted, refuse_at=rcpt, own recipient',
    { snapshot: restricted, config: atRcpt, to: OWN },
    'pass own-recipient',
  ],
  [
    'unregistered, restricted, own recipient, when RCPT begins',
    { snapshot: restricted, to: OWN, stage: 'rcpt' },
    'pass own-recipient',
  ],
  [
    'unregistered, restricted, in monitor',
    { snapshot: snapshotWith({ mode: 'monitor', restricted: 'unregistered' }), to: FOREIGN },
    'charge unregistered',
  ],
  [
    'unregistered, restricted, under the override',
    { snapshot: restricted, config: monitorAll },
    'charge unregistered',
  ],

  ['null sender', { sender: '' }, 'charge null'],
  ['null sender, at RCPT', { sender: '', to: FOREIGN }, 'charge null'],
  ['null sender, own recipient', { sender: '', to: OWN }, 'pass own-recipient'],
  ['null sender, recipient in a shared domain', { sender: '', to: SHARED }, 'charge null'],
  ['null sender, restricted', { sender: '', snapshot: restricted }, 'charge null'],
  [
    'null sender, restricted, at RCPT',
    { sender: '', snapshot: restricted, to: FOREIGN },
    'charge null',
  ],
  ['null sender, all', { sender: '', snapshot: restrictedAll }, '550 5.7.7 restricted'],
]

describe('judge', () => {
  for (const [name, facts, expected] of CASES) {
    it(name, () => assert.equal(brief(judge(situation(facts))), expected))
  }

  it('answers a restriction with the reply of its scope', () => {
    const blocked = judge(situation({ snapshot: restricted }))
    const blockedAll = judge(situation({ snapshot: restrictedAll }))
    assert.equal('reply' in blocked && blocked.reply, REPLIES.blocked)
    assert.equal('reply' in blockedAll && blockedAll.reply, REPLIES.blockedAll)
  })
})

describe('in every situation', () => {
  const situations = [...everySituation()]

  function holds(
    name: string,
    rule: (situation: Situation, judgement: Judgement) => boolean,
  ): void {
    it(name, () => {
      for (const each of situations) {
        const judgement = judge(each)
        if (!rule(each, judgement)) {
          const { snapshot, config, ...rest } = each
          assert.fail(
            `${brief(judgement)} in ${JSON.stringify({ ...rest, mode: snapshot?.mode, restricted: snapshot?.restricted, main: config.main, outage: config.outage, attribution: each.attribution })}`,
          )
        }
      }
    })
  }

  const isRefusal = ({ verdict }: Judgement): boolean =>
    verdict === 'refuse' || verdict === 'tempfail'
  const replyOf = (judgement: Judgement) => ('reply' in judgement ? judgement.reply : undefined)
  const isKnown = ({ attribution, snapshot }: Situation): boolean =>
    attribution.kind === 'attributed' && snapshot !== undefined

  it('is tested with many of them', () => assert.ok(situations.length > 20_000))

  holds(
    'mail that is not relayed is not handled',
    (each, { verdict }) => each.relaying || verdict === 'ignore',
  )

  holds(
    'nothing is refused under the override',
    ({ config }, judgement) => config.main.override === undefined || !isRefusal(judgement),
  )

  holds(
    'nothing is refused outside enforce, except what cannot be decided',
    ({ snapshot, config }, { verdict }) =>
      modeOf(snapshot, config) === 'enforce' || verdict !== 'refuse',
  )

  holds(
    'a known tenant never gets a 451 here',
    (each, { verdict }) => !isKnown(each) || verdict !== 'tempfail',
  )

  holds(
    'registered mail passes, unless a person blocked the tenant with --all, or disabled or blocked its connector',
    (each, judgement) => {
      if (!isKnown(each) || each.sender.class !== 'registered') return true
      const said = each.snapshot?.restricted === 'all' || each.attribution !== ATTRIBUTED
      return said || judgement.verdict === 'pass' || judgement.verdict === 'ignore'
    },
  )

  holds('5.7.750 is for unregistered senders of a restricted tenant', (each, judgement) => {
    if (replyOf(judgement) !== REPLIES.blocked) return true
    return each.sender.class === 'unregistered' && each.snapshot?.restricted === 'unregistered'
  })

  holds('5.7.705 is for scope all', (each, judgement) => {
    return replyOf(judgement) !== REPLIES.blockedAll || each.snapshot?.restricted === 'all'
  })

  holds(
    '5.7.711 is for a blocked connector, and what relays through it gets nothing else',
    (each, judgement) => {
      const { attribution, snapshot, config, relaying } = each
      const refuses = relaying && attribution === BLOCKED && modeOf(snapshot, config) === 'enforce'
      return refuses === (replyOf(judgement) === REPLIES.connectorBlocked)
    },
  )

  holds('unregistered mail of a restricted tenant does not pass RCPT', (each, judgement) => {
    const { snapshot, sender, config, recipient, stage, relaying } = each
    const matters = [
      relaying && isKnown(each) && modeOf(snapshot, config) === 'enforce',
      snapshot?.restricted !== undefined && sender.class === 'unregistered',
      stage !== 'mail' && String(recipient?.host) === 'far.example',
    ]
    return matters.includes(false) || judgement.verdict === 'refuse'
  })

  holds('own recipients are never charged', (each, judgement) => {
    const own = each.stage === 'rcpt_ok' && String(each.recipient?.host) === 'sub.contoso.com'
    return !own || judgement.verdict !== 'charge'
  })

  holds('what is refused when RCPT begins would be refused when it ends', (each, judgement) => {
    if (each.stage !== 'rcpt') return true
    const last = judge({ ...each, stage: 'rcpt_ok' })
    return isRefusal(judgement) === isRefusal(last)
  })

  holds('a charge is on the meter of its class', (each, judgement) => {
    return judgement.verdict !== 'charge' || judgement.meter === each.sender.class
  })

  holds('undecided is never a silent pass', (each, { verdict }) => {
    const { attribution, snapshot, config, relaying } = each
    const undecided =
      attribution.kind === 'undecidable' || (attribution === ATTRIBUTED && snapshot === undefined)
    const wanted =
      config.main.override !== undefined ||
      (attribution.kind === 'attributed' && config.outage.unregistered === 'accept')
    return !relaying || !undecided || wanted || verdict === 'tempfail'
  })
})

function* everySituation(): Generator<Situation> {
  const modes = ['enforce', 'monitor', 'off'] as const
  const configs = []
  for (const mode of modes)
    for (const override of ['', 'monitor', 'off'])
      for (const refuse_at of ['mail', 'rcpt'])
        for (const unregistered of ['tempfail', 'accept'])
          for (const unknown of ['ignore', 'deny'])
            configs.push(
              configWith({
                main: { mode, override, refuse_at },
                outage: { unregistered },
                attribution: { unknown },
              }),
            )
  const snapshots: (Snapshot | undefined)[] = [undefined]
  for (const mode of [undefined, ...modes])
    for (const scope of [undefined, 'unregistered', 'all'] as const)
      snapshots.push(snapshotWith({ mode, restricted: scope }))
  const envelopes = []
  for (const sender of [REGISTERED, UNREGISTERED, ''])
    for (const [stage, to] of [
      ['mail'],
      ['rcpt', OWN],
      ['rcpt', FOREIGN],
      ['rcpt_ok', OWN],
      ['rcpt_ok', FOREIGN],
    ] as const)
      envelopes.push({ stage, sender, ...(to && { to }) })

  for (const config of configs)
    for (const snapshot of snapshots)
      for (const attribution of [ATTRIBUTED, DISABLED, BLOCKED, NONE, UNDECIDABLE])
        for (const relaying of [true, false])
          for (const envelope of envelopes) {
            if (snapshot && attribution.kind !== 'attributed') continue
            yield situation({ ...envelope, config, snapshot, attribution, relaying })
          }
}

describe('standingOf', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['anna@contoso.com', { class: 'registered', domain: 'contoso.com', matched: 'contoso.com' }],
    [
      'anna@a.b.contoso.com',
      { class: 'registered', domain: 'a.b.contoso.com', matched: 'contoso.com' },
    ],
    ['anna@CONTOSO.net', { class: 'registered', domain: 'contoso.net', matched: 'contoso.net' }],
    ['anna@a.contoso.net', { class: 'unregistered', domain: 'a.contoso.net', matched: undefined }],
    [
      'anna@notcontoso.com',
      { class: 'unregistered', domain: 'notcontoso.com', matched: undefined },
    ],
    ['postmaster', { class: 'unregistered', domain: undefined, matched: undefined }],
    ['a@[192.0.2.1]', { class: 'unregistered', domain: undefined, matched: undefined }],
    ['', { class: 'null', domain: undefined, matched: undefined }],
  ]
  for (const [sender, expected] of cases) {
    it(`of <${sender}>`, () => assert.deepEqual(standing(sender, snapshotWith()), expected))
  }

  it('is unknown where the tenant is unknown', () => {
    assert.deepEqual(standing(REGISTERED, undefined), {
      class: 'unknown',
      domain: 'contoso.com',
      matched: undefined,
    })
    assert.equal(standing('', undefined).class, 'null')
  })
})

describe('modeOf', () => {
  it('is the override, then the tenant’s own, then the default', () => {
    const own = snapshotWith({ mode: 'monitor' })
    assert.equal(modeOf(own, configWith()), 'monitor')
    assert.equal(modeOf(snapshotWith(), off), 'off')
    assert.equal(modeOf(undefined, off), 'off')
    assert.equal(modeOf(own, offAll), 'off')
    assert.equal(modeOf(snapshotWith({ mode: 'enforce' }), monitorAll), 'monitor')
  })
})

describe('a transaction', () => {
  it('accepts one recipient of the null sender while a restriction is in effect', () => {
    const takesOne = (sender: string, snapshot: Snapshot, raw = {}): boolean =>
      takesOneRecipient(standing(sender, snapshot), snapshot, configWith(raw))
    const restricted = snapshotWith({ restricted: 'unregistered' })
    assert.equal(takesOne('', restricted), true)
    assert.equal(takesOne('', snapshotWith()), false)
    assert.equal(takesOne('', snapshotWith({ restricted: 'unregistered', mode: 'monitor' })), false)
    assert.equal(takesOne('', restricted, { main: { override: 'monitor' } }), false)
    for (const sender of [REGISTERED, UNREGISTERED])
      assert.equal(takesOne(sender, restricted), false)
  })
})
