// A client's certificate attributes a session only if its chain is valid for a client and a connector has exactly one
// of its names, or if its fingerprint is pinned.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  CertificateAuthority,
  newAddress,
  startRelay,
  type Certificate,
  type TestRelay,
} from '../support'
import { noteOf } from '../support/observer'
import { rawCertificate, type AltName, type RawHolder } from '../support/raw-certificate'

const NAME = 'mx.contoso.example'
const YEAR = 365 * 86_400_000
const EXPIRED = { from: new Date(Date.now() - 2 * YEAR), to: new Date(Date.now() - YEAR) }
const NOT_YET = { from: new Date(Date.now() + YEAR), to: new Date(Date.now() + 2 * YEAR) }

const server = new CertificateAuthority('Server').issue({ names: ['relay.example'] })
const root = rawCertificate({ commonNames: ['CA of the clients'], ca: true })
/** Of the same name, with its own key. */
const impostor = rawCertificate({ commonNames: ['CA of the clients'], ca: true })
const foreign = rawCertificate({ commonNames: ['Another CA'], ca: true })
const intermediate = rawCertificate({ commonNames: ['Intermediate'], ca: true }, root.issuer)
const noAuthority = rawCertificate({ commonNames: ['No CA'], ca: false }, root.issuer)

const issue = (holder: RawHolder, by = root): Certificate => rawCertificate(holder, by.issuer)
const withSan = (...san: AltName[]): Certificate => issue({ san })
const dns = (text: string): Certificate => withSan(['dns', text])
const named = (more: RawHolder = {}, by = root): Certificate =>
  issue({ san: [['dns', NAME]], ...more }, by)
/** Shown with the issuer's certificate. */
const chained = (by: typeof root): Certificate => {
  const leaf = named({}, by)
  return { ...leaf, cert: leaf.cert + by.cert }
}

const PINNED: Record<string, Certificate> = {
  'self-signed': rawCertificate({ commonNames: ['x'] }),
  'of a foreign CA': issue({ san: [['dns', 'x.example']] }, foreign),
  expired: issue({ ...EXPIRED }, foreign),
  'not valid yet': issue({ ...NOT_YET }),
  'for servers only': issue({ usage: 'serverAuth' }),
  'with a name that another connector has, of a foreign CA': named({}, foreign),
}

let relay: TestRelay
before(async () => {
  relay = await startRelay({
    tls: { key: server.key, cert: server.cert, ca: root.cert },
    smtps: true,
  })
  await relay.tenant('contoso', {
    limits: '100000/1h',
    connectors: {
      mx: { cert: [NAME] },
      wild: { cert: ['*.wild.example'] },
      pinned: { certSha256: Object.values(PINNED).map(({ fingerprint256 }) => fingerprint256) },
    },
  })
  await relay.attributed({ localAddress: newAddress(), starttls: named() }, 'contoso/mx')
})
after(() => relay.stop())

/** By STARTTLS and on the SMTPS port. */
async function assertIs(certificate: Certificate, connector: string | null): Promise<void> {
  const { key, cert } = certificate
  for (const way of ['starttls', 'tls'] as const) {
    const client = await relay.haraka.connect({ localAddress: newAddress(), [way]: { key, cert } })
    const note = await noteOf(relay.haraka, client)
    assert.equal(note?.connector ?? null, connector, way)
    await client.quit()
  }
}

function cases(all: Record<string, [make: () => Certificate, connector: string | null]>): void {
  for (const [what, [make, connector]] of Object.entries(all)) {
    it(`${what}: ${connector ?? 'no tenant'}`, () => assertIs(make(), connector))
  }
}

const many = (count: number): AltName[] =>
  Array.from({ length: count }, (_, at) => ['dns', `host${at}.stranger.example`])

describe('names of a verified certificate', () => {
  cases({
    'its DNS name': [() => named(), 'contoso/mx'],
    'its DNS name in capitals': [() => dns(NAME.toUpperCase()), 'contoso/mx'],
    'NUL after it': [() => dns(`${NAME}\0`), null],
    'NUL and another name after it': [() => dns(`${NAME}\0.evil.example`), null],
    'NUL in front of it': [() => dns(`\0${NAME}`), null],
    'another name with a DNS name in it': [() => dns(`evil.example, DNS:${NAME}`), null],
    'another name with a DNS name in quotes': [
      () => dns(`evil.example", DNS:${NAME}, DNS:"x`),
      null,
    ],
    'a quote and a backslash': [() => dns(`\\", DNS:${NAME}`), null],
    'a line break and a DNS name': [() => dns(`evil.example\nDNS:${NAME}`), null],
    'a blank in front': [() => dns(` ${NAME}`), null],
    'the prefix in the name': [() => dns(`DNS:${NAME}`), null],
    'Cyrillic letters': [() => dns('mx.соntoso.example'), null],
    'full width': [() => dns('mx.ｃontoso.example'), null],
    'an e-mail address at it': [() => withSan(['email', `x@${NAME}`]), null],
    'an e-mail address that is the name': [() => withSan(['email', NAME]), null],
    'an e-mail address with a DNS name in it': [() => withSan(['email', `x, DNS:${NAME}`]), null],
    'a URI with it as the host': [() => withSan(['uri', `https://${NAME}/`]), null],
    'a URI with a DNS name in it': [() => withSan(['uri', `https://x/, DNS:${NAME}`]), null],
    'a directory name': [() => withSan(['dirName', NAME]), null],
    'a directory name with a DNS name in it': [() => withSan(['dirName', `x, DNS:${NAME}`]), null],
    'an IP address, and the name as CN': [
      () => issue({ commonNames: [NAME], san: [['ip', Buffer.from([192, 0, 2, 1])]] }),
      null,
    ],
    'an IP address of odd length': [() => withSan(['ip', Buffer.from(NAME)]), null],
    'an empty SAN, and the name as CN': [() => issue({ commonNames: [NAME], san: [] }), null],
    'an empty DNS name': [() => dns(''), null],
    'nothing at all': [() => issue({}), null],
    'the CN without a SAN': [() => issue({ commonNames: [NAME] }), 'contoso/mx'],
    'the CN with NUL': [() => issue({ commonNames: [`${NAME}\0.evil.example`] }), null],
    'the CN in Cyrillic letters': [() => issue({ commonNames: ['mx.соntoso.example'] }), null],
    'the CN with a comma': [() => issue({ commonNames: [`x, CN=${NAME}`] }), null],
    'the CN with a line break': [() => issue({ commonNames: [`x\nCN=${NAME}`] }), null],
    'among kinds of all sorts': [
      () =>
        withSan(
          ['email', 'a@b.example'],
          ['ip', Buffer.from([192, 0, 2, 1])],
          ['dns', 'a, b'],
          ['uri', 'https://x/'],
          ['dns', NAME],
        ),
      'contoso/mx',
    ],
  })
})

describe('wildcards of a verified certificate', () => {
  const odd = [
    ...['*', '*.', '*.*', '*.example', '*.contoso.example', '*.*.example', 'm*.contoso.example'],
    ...[
      '*x.contoso.example',
      'mx.*.example',
      'mx.contoso.*',
      '*.mx.contoso.example',
      '**.contoso.example',
    ],
    ...[
      '*.wild.example.evil.example',
      '*wild.example',
      'a.*.wild.example',
      '*.a.wild.example',
      'wild.example',
    ],
    ...['?.wild.example', '*a.wild.example', '.wild.example', '*.*.wild.example'],
  ]
  cases({
    ...Object.fromEntries(odd.map((name) => [name, [() => dns(name), null]])),
    '*.wild.example': [() => dns('*.wild.example'), 'contoso/wild'],
    'a.wild.example': [() => dns('a.wild.example'), 'contoso/wild'],
  })
})

// About the longest list: past 64 KB OpenSSL cannot make the session ticket, and Haraka without the plugin has no
// session either.
describe('a list of names', () => {
  cases({
    'of 2,000 strangers': [() => issue({ san: many(2000) }), null],
    'with the right one after 2,000': [
      () => issue({ san: [...many(2000), ['dns', NAME]] }),
      'contoso/mx',
    ],
    'of 2,000 that must be quoted': [
      () =>
        issue({
          san: many(2000).map(([kind, name]) => [kind, `${String(name).slice(0, 20)}",\\`]),
        }),
      null,
    ],
  })

  it('that is too long for OpenSSL ends its own session only', async () => {
    const { key, cert } = issue({ san: many(10_000) })
    const other = await relay.haraka.connect({ localAddress: newAddress(), starttls: named() })
    for (const way of ['starttls', 'tls'] as const) {
      const opening = relay.haraka.connect({ localAddress: newAddress(), [way]: { key, cert } })
      await assert.rejects(opening)
    }
    assert.equal((await noteOf(relay.haraka, other))?.connector, 'contoso/mx')
    await other.quit()
    assert.doesNotMatch(relay.haraka.log, /internal error|Caught exception/)
  })
})

describe('a certificate with the right name', () => {
  cases({
    'for clients': [() => named({ usage: 'clientAuth' }), 'contoso/mx'],
    'for servers only': [() => named({ usage: 'serverAuth' }), null],
    'whose key may sign certificates only': [() => named({ onlySigns: true }), null],
    'with an unknown critical extension': [() => named({ unknownCritical: true }), null],
    expired: [() => named(EXPIRED), null],
    'not valid yet': [() => named(NOT_YET), null],
    'self-signed': [() => rawCertificate({ san: [['dns', NAME]] }), null],
    'self-signed, as an authority': [
      () => rawCertificate({ san: [['dns', NAME]], ca: true }),
      null,
    ],
    'of a foreign authority': [() => named({}, foreign), null],
    'of a foreign authority, with its chain': [() => chained(foreign), null],
    'of an authority of the same name': [() => named({}, impostor), null],
    'of an authority of the same name, with its chain': [() => chained(impostor), null],
    'of an intermediate that is not shown': [() => named({}, intermediate), null],
    'of an intermediate': [() => chained(intermediate), 'contoso/mx'],
    'of one that is no authority': [() => chained(noAuthority), null],
    // It can sign for others, but the authority gave it the name.
    'that is an authority itself': [() => named({ ca: true }), 'contoso/mx'],
  })
})

describe('a pinned certificate', () => {
  cases(
    Object.fromEntries(
      Object.entries(PINNED).map(([what, pinned]) => [what, [() => pinned, 'contoso/pinned']]),
    ),
  )
  cases({
    'another one of the same names': [() => rawCertificate({ commonNames: ['x'] }), null],
    'shown after another one': [
      () => {
        const leaf = rawCertificate({ commonNames: ['y'] })
        return { ...leaf, cert: leaf.cert + PINNED['self-signed']!.cert }
      },
      null,
    ],
  })
})
