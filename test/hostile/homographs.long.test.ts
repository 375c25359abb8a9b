// A name that only looks like an accepted domain never passes as it, even where Haraka maps it to that name (full
// width, ideographic dots, soft hyphens: UTS #46), since a next server with SMTPUTF8 gets the client's spelling.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { domainToASCII } from 'node:url'
import fc from 'fast-check'
import { envelopeDomain, type HarakaAddress } from '../../src/names/envelope'
import { acceptedDomainOf, type Snapshot } from '../../src/directory/snapshot'
import { startHaraka, startRedis, TestRelay, type SmtpClient, type TestTenant } from '../support'
import { LIBRARIES } from '../support/envelope-libraries'
import { ACCEPTED, LOOKALIKES, SAME_NAMES } from '../support/hostile-addresses'
import { snapshotWith } from '../support/judgement'
import { mayBeRegistered } from '../support/name-model'
import { REPLY } from '../support/replies'
import { runs, SEED } from '../support/seed'

/** The sender domain that one Haraka derives from this name; `undefined`: it answers 501. */
function senderAt(parse: (text: string) => HarakaAddress, name: string): HarakaAddress | undefined {
  try {
    return parse(`<u@${name}>`)
  } catch {
    return undefined
  }
}

function isRegistered(address: HarakaAddress, domains: Snapshot['domains']): boolean {
  const sender = envelopeDomain(address)
  if (sender.kind !== 'domain') return false
  return acceptedDomainOf({ ...snapshotWith(), domains }, sender.domain) !== undefined
}

const U_LABELS = [
  'münchen',
  'bücher',
  'москва',
  'παράδειγμα',
  '例え',
  'مثال',
  'ドメイン',
  'ไทย',
  'straße',
]

const ldhLabel = fc
  .stringMatching(/^[a-z](?:[a-z0-9-]{0,6}[a-z0-9])?$/)
  .filter((label) => !/^..--/.test(label))
const label = fc.oneof({ weight: 3, arbitrary: ldhLabel }, fc.constantFrom(...U_LABELS))

/** A name of two or three labels, as people write it. */
const name = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 2 }), fc.constantFrom('com', 'example', 'рф'))
  .map(([labels, top]) => [...labels, top].join('.'))

/** Letters that look like these, or that IDNA maps to them. */
const TWINS: Readonly<Record<string, string>> = {
  a: 'аαɑａ𝐚ª',
  c: 'сϲⅽｃ',
  d: 'ԁⅾｄ',
  e: 'еҽｅ℮',
  g: 'ɡｇ',
  h: 'һｈₕ',
  i: 'іıⅰｉℹ',
  j: 'јｊ',
  k: '\u212aｋ',
  l: 'ⅼӏｌ1',
  m: 'ⅿｍ',
  n: 'ոｎⁿ',
  o: 'оοօｏº0',
  p: 'рρｐ',
  s: 'ѕſｓ',
  u: 'υսｕ',
  v: 'νⅴｖ',
  w: 'ԝｗ',
  x: 'хⅹｘ',
  y: 'уｙ',
  z: 'ᴢｚ',
  '.': '。．｡․۔·',
  '-': '‐‑－−',
  ü: 'ṻ',
  о: 'o',
  α: 'a',
  ß: 'β',
}
/** Invisible characters. */
const UNSEEN = [
  '\u200b',
  '\u200c',
  '\u200d',
  '\u2060',
  '\u00ad',
  '\ufeff',
  '\u034f',
  '\ufe0f',
  '\u180e',
  '\u3164',
  '\u202e',
  '\u2066',
  '\u{e0061}',
  '\u0323',
]

/** Another name that is easily confused with this one. */
function lookalikesOf(real: string): fc.Arbitrary<string> {
  const letters = [...real]
  const twins = letters.flatMap((letter, at) =>
    [...(TWINS[letter] ?? '')].map((twin) =>
      [...letters.slice(0, at), twin, ...letters.slice(at + 1)].join(''),
    ),
  )
  const unseen = letters.flatMap((_, at) =>
    UNSEEN.map((sign) => [...letters.slice(0, at), sign, ...letters.slice(at)].join('')),
  )
  const ascii = domainToASCII(real)
  const [first = '', ...rest] = ascii.split('.')
  const others = [
    ...[`evil${real}`, `evil-${real}`, `${real}.evil.example`, `${real}m`, `${real}-`, `x${ascii}`],
    ...[`${real}%00.evil.example`, `${real}..`, `${real}@evil.example`, `.${real}`, rest.join('.')],
    ...[
      `xn--${first}-.${rest.join('.')}`,
      `xn--${first}.${rest.join('.')}`,
      `_${real}`,
      `${first}${rest.join('')}`,
    ],
    real.replace('.', ''),
    real.replaceAll('.', '%2e'),
    real.replaceAll('.', '-'),
    [...real].reverse().join(''),
  ]
  return fc.constantFrom(...twins, ...unseen, ...others)
}

/** The same name in another spelling, or one below it. */
function spellingsOf(real: string): fc.Arbitrary<string> {
  const ascii = domainToASCII(real)
  return fc
    .tuple(
      fc.constantFrom('', '', '', 'mail.', 'a.b.', 'MAIL.'),
      fc.constantFrom(real, ascii, ascii.toUpperCase(), real.toUpperCase(), real.normalize('NFD')),
    )
    .map((parts) => parts.join(''))
}

for (const [library, parse] of Object.entries(LIBRARIES)) {
  describe(`look-alikes, ${library}`, () => {
    for (const [what, looks] of Object.entries(LOOKALIKES)) {
      it(`${what} is another name`, () => {
        const address = senderAt(parse, looks)
        if (address) assert.equal(isRegistered(address, ACCEPTED), false)
      })
    }
    for (const [what, same] of Object.entries(SAME_NAMES)) {
      it(`${what} is the name`, () => {
        const address = senderAt(parse, same)
        assert.equal(address && isRegistered(address, ACCEPTED), true)
      })
    }

    const numRuns = runs(1000)
    it(`${numRuns} look-alikes of generated names (SEED=${SEED})`, () => {
      const pair = fc
        .tuple(name, fc.boolean())
        .chain(([real, subdomains]) =>
          fc.tuple(fc.constant(real), lookalikesOf(real), fc.constant(subdomains)),
        )
      fc.assert(
        fc.property(pair, ([real, looks, subdomains]) => {
          const address = senderAt(parse, looks)
          if (!address) return
          const accepted = new Map([[domainToASCII(real), { subdomains, shared: false }]])
          assert.equal(isRegistered(address, accepted), false)
        }),
        { numRuns, seed: SEED },
      )
    })

    it(`${numRuns} senders of ${numRuns} sets of accepted domains (SEED=${SEED})`, () => {
      const set = fc.array(fc.tuple(name, fc.boolean()), { minLength: 1, maxLength: 5 })
      const situation = set.chain((entries) =>
        fc.tuple(
          fc.constant(
            new Map(
              entries.map(([real, subdomains]) => [
                domainToASCII(real),
                { subdomains, shared: false },
              ]),
            ),
          ),
          fc.oneof(name, ...entries.flatMap(([real]) => [spellingsOf(real), lookalikesOf(real)])),
        ),
      )
      const tally = { registered: 0, other: 0 }
      fc.assert(
        fc.property(situation, ([accepted, sender]) => {
          const address = senderAt(parse, sender)
          if (!address) return
          const registered = isRegistered(address, accepted)
          const allowed = mayBeRegistered(address, accepted)
          if (registered || /^[\0-\x7f]*$/.test(sender)) assert.equal(registered, allowed)
          tally[registered ? 'registered' : 'other']++
        }),
        { numRuns, seed: SEED },
      )
      if (numRuns >= 1000)
        assert.ok(
          tally.registered > numRuns / 10 && tally.other > numRuns / 10,
          JSON.stringify(tally),
        )
    })
  })
}

describe('look-alikes over SMTP', () => {
  let relay: TestRelay
  let tenant: TestTenant
  before(async () => {
    const redis = await startRedis()
    const versions = ['3.3.4', '3.1.7'] as const
    relay = new TestRelay(
      redis,
      await Promise.all(versions.map((version) => startHaraka({ redis, version }))),
    )
    tenant = await relay.tenant('contoso', {
      limits: '0/1h',
      domains: [...ACCEPTED].map(([domain, { subdomains }]) => ({
        domain,
        subdomains,
        shared: true,
      })),
    })
  })
  after(() => relay.stop())

  /** The reply to RCPT of a message from there, or to MAIL where Haraka refuses it. */
  async function answerTo(client: SmtpClient, sender: string): Promise<string> {
    const [mail, rcpt] = await client.pipeline([
      `MAIL FROM:<u@${sender}> SMTPUTF8`,
      'RCPT TO:<someone@far.example>',
      'RSET',
    ])
    assert.ok(mail && rcpt)
    return mail.code === 250 ? rcpt.raw : mail.raw
  }

  for (const [at, version] of ['3.3.4', '3.1.7'].entries()) {
    it(`are refused like any other name, by Haraka ${version}`, async () => {
      const client = await tenant.connect({ on: relay.hosts[at]! })
      let blocked = 0
      for (const [what, looks] of Object.entries(LOOKALIKES)) {
        const answer = await answerTo(client, looks)
        if (answer === REPLY.blocked) blocked++
        else assert.match(answer, /^501[ -]/, what)
      }
      assert.ok(blocked > Object.keys(LOOKALIKES).length / 3, `${blocked} came as far as RCPT`)
      await client.quit()
    })

    it(`and the names themselves pass, by Haraka ${version}`, async () => {
      const client = await tenant.connect({ on: relay.hosts[at]! })
      for (const [what, same] of Object.entries(SAME_NAMES)) {
        assert.match(await answerTo(client, same), /^250 /, what)
      }
      await client.quit()
    })
  }
})
