import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { attribute, type Attribution, type Facts } from '../../src/decision/attribution'
import type { RawIni } from '../../src/config/stray-lines'
import { ConnectorIndex } from '../../src/directory/connector-index'
import { normalizeIdentities, type RawIdentities } from '../../src/mail/identities'
import { configWith } from '../support/judgement'

const PIN = 'AB'.repeat(32)

function indexOf(
  connectors: Record<string, RawIdentities>,
  disabled: string[] = [],
  blocked: string[] = [],
): ConnectorIndex {
  const index = new ConnectorIndex()
  for (const [id, identities] of Object.entries(connectors)) {
    const [tenant = '', name = ''] = id.split('/')
    index.set({
      ...{ tenant, name, enabled: !disabled.includes(id), addedAt: 0, addedBy: 'test' },
      ...normalizeIdentities(identities),
      ...(blocked.includes(id) && { blocked: { by: 'ann', reason: 'test', since: 1 } }),
    })
  }
  return index
}

const CONNECTORS = indexOf(
  {
    'auth/exact': { auth: ['bob@contoso.com'] },
    'auth/domain': { auth: ['*@contoso.com'] },
    'tls/name': { cert: ['mx.contoso.com'] },
    'tls/pin': { certSha256: [PIN] },
    'ip/net': { ip: ['192.0.2.0/24'] },
    'ip/host': { ip: ['192.0.2.9/32'] },
    'off/auth': { auth: ['mallory'] },
    'off/net': { ip: ['198.51.100.0/24'] },
    'off/tls': { cert: ['off.example'] },
    'bad/auth': { auth: ['eve@fabrikam.com'] },
    'bad/net': { ip: ['203.0.113.64/26'] },
    'bad/tls': { cert: ['bad.example'] },
    'bad/both': { auth: ['trent'] },
    'alike/one': { auth: ['carol'] },
    'alike/other': { auth: ['carol '] },
  },
  ['off/auth', 'off/net', 'off/tls', 'bad/both'],
  ['bad/auth', 'bad/net', 'bad/tls', 'bad/both'],
)

const OWNERS: Record<string, string | null> = { 'fabrikam.com': 'fabrikam', 'nobody.example': null }

const certificate = (name: string, verified = true) => ({
  names: [name],
  fingerprint256: 'CD'.repeat(32),
  verified,
})
const pinned = { names: [], fingerprint256: PIN, verified: false }

interface Setting {
  facts?: Partial<Facts>
  ini?: RawIni['attribution']
  connectors?: ConnectorIndex | undefined
  owners?: Record<string, string | null>
  /** The connectors have not been loaded yet. */
  remembered?: true
}

function attributed(setting: Setting): Attribution {
  const { facts = {}, ini = {}, owners = OWNERS, remembered } = setting
  const connectors = 'connectors' in setting ? setting.connectors : CONNECTORS
  return attribute(
    { authUser: undefined, certificate: undefined, ip: '203.0.113.1', note: undefined, ...facts },
    { connectors, connectorsAreRead: !remembered, ownerOf: (domain) => owners[domain] },
    configWith({ attribution: ini }).attribution,
  )
}

/** Connector or tenant, and the method; else the kind. */
function brief(attribution: Attribution): string {
  if (attribution.kind === 'ask-owner') return `ask-owner ${attribution.domain}`
  if (attribution.kind !== 'attributed') return attribution.kind
  const { tenant, connector, method, enabled, blocked } = attribution
  return `${connector ?? tenant} by ${method}${enabled ? '' : ', disabled'}${blocked ? ', blocked' : ''}`
}

describe('attribute', () => {
  const cases: readonly (readonly [string, Setting, string])[] = [
    ['nothing that is known', {}, 'none'],
    ['nothing that was known before', { remembered: true }, 'undecidable'],
    ['an address known before', { remembered: true, facts: { ip: '192.0.2.1' } }, 'ip/net by ip'],
    ['the exact AUTH user', { facts: { authUser: 'Bob@CONTOSO.com' } }, 'auth/exact by auth'],
    [
      'another spelling of a user',
      { facts: { authUser: 'bob@contoso.com\u00a0' } },
      'auth/exact by auth',
    ],
    [
      'another spelling of a user whose connector is disabled',
      { facts: { authUser: ' Mallory' } },
      'off/auth by auth, disabled',
    ],
    [
      'a user as one of two that differ in a blank has it',
      { facts: { authUser: 'carol ' } },
      'alike/other by auth',
    ],
    [
      'a third spelling of them, of two tenants',
      { facts: { authUser: '\uff43arol', ip: '192.0.2.1' } },
      'ambiguous',
    ],
    [
      'the same, where AUTH does not count',
      { facts: { authUser: '\uff43arol', ip: '192.0.2.1' }, ini: { auth: 'false' } },
      'ip/net by ip',
    ],
    [
      'another spelling of the domain of a user',
      { facts: { authUser: 'x@FABRIKAM.com ' } },
      'fabrikam by auth_user_domain',
    ],
    [
      'another user of the domain',
      { facts: { authUser: 'eve@contoso.com' } },
      'auth/domain by auth',
    ],
    [
      'a look-alike domain',
      { facts: { authUser: 'eve@contoso.com.example' } },
      'ask-owner contoso.com.example',
    ],
    [
      'a verified certificate',
      { facts: { certificate: certificate('mx.contoso.com') } },
      'tls/name by tls',
    ],
    [
      'a certificate that is not verified',
      { facts: { certificate: certificate('mx.contoso.com', false) } },
      'none',
    ],
    ['a pinned certificate', { facts: { certificate: pinned } }, 'tls/pin by tls'],
    ['the address', { facts: { ip: '192.0.2.1' } }, 'ip/net by ip'],
    ['the longer prefix', { facts: { ip: '192.0.2.9' } }, 'ip/host by ip'],
    ['the IPv4-mapped address', { facts: { ip: '::ffff:192.0.2.1' } }, 'ip/net by ip'],
    ['an address that is none', { facts: { ip: 'unknown' } }, 'none'],
    ['no address', { facts: { ip: '' } }, 'none'],
    [
      'the owner of the AUTH domain',
      { facts: { authUser: 'x@fabrikam.com' } },
      'fabrikam by auth_user_domain',
    ],
    ['an AUTH domain of nobody', { facts: { authUser: 'x@nobody.example' } }, 'none'],
    [
      'an AUTH domain to be asked for',
      { facts: { authUser: 'x@Other.Example.' } },
      'ask-owner other.example',
    ],
    ['an AUTH user without a domain', { facts: { authUser: 'x' } }, 'none'],

    [
      'AUTH before TLS before IP',
      {
        facts: {
          authUser: 'bob@contoso.com',
          certificate: certificate('mx.contoso.com'),
          ip: '192.0.2.1',
        },
      },
      'auth/exact by auth',
    ],
    [
      'TLS before IP',
      { facts: { certificate: certificate('mx.contoso.com'), ip: '192.0.2.1' } },
      'tls/name by tls',
    ],
    [
      'IP before the AUTH domain',
      { facts: { authUser: 'x@fabrikam.com', ip: '192.0.2.1' } },
      'ip/net by ip',
    ],
    [
      'facts that match nothing are skipped',
      { facts: { authUser: 'x', certificate: certificate('other.example'), ip: '192.0.2.1' } },
      'ip/net by ip',
    ],
    [
      'the AUTH domain before the note',
      { facts: { authUser: 'x@fabrikam.com', note: 'ip/net' }, ini: { note: 'tenant' } },
      'fabrikam by auth_user_domain',
    ],
    [
      'a domain that must be asked for first is not skipped',
      { facts: { authUser: 'x@other.example', note: 'ip/net' }, ini: { note: 'tenant' } },
      'ask-owner other.example',
    ],

    [
      'auth=false',
      {
        facts: { authUser: 'bob@contoso.com' },
        ini: { auth: 'false' },
        owners: { 'contoso.com': 'contoso' },
      },
      'contoso by auth_user_domain',
    ],
    ['tls=false', { facts: { certificate: pinned }, ini: { tls: 'false' } }, 'none'],
    ['ip=false', { facts: { ip: '192.0.2.1' }, ini: { ip: 'false' } }, 'none'],
    [
      'auth_user_domain=false',
      { facts: { authUser: 'x@fabrikam.com' }, ini: { auth_user_domain: 'false' } },
      'none',
    ],

    ['a note that is not configured', { facts: { note: 'contoso' } }, 'none'],
    [
      'a note with a tenant',
      { facts: { note: 'contoso' }, ini: { note: 'tenant' } },
      'contoso by note',
    ],
    [
      'a note with a connector',
      { facts: { note: 'ip/net' }, ini: { note: 'tenant' } },
      'ip/net by note',
    ],
    [
      'a note with a connector that is not registered names its tenant only',
      { facts: { note: 'contoso/gone' }, ini: { note: 'tenant' } },
      'contoso by note',
    ],
    ['an empty note', { facts: { note: '' }, ini: { note: 'tenant' } }, 'none'],

    ['a disabled AUTH user', { facts: { authUser: 'mallory' } }, 'off/auth by auth, disabled'],
    [
      'a disabled AUTH user does not fall through to its address',
      { facts: { authUser: 'mallory', ip: '192.0.2.1' } },
      'off/auth by auth, disabled',
    ],
    [
      'a disabled certificate does not fall through to its address',
      { facts: { certificate: certificate('off.example'), ip: '192.0.2.1' } },
      'off/tls by tls, disabled',
    ],
    [
      'a disabled address does not fall through to the AUTH domain',
      { facts: { authUser: 'x@fabrikam.com', ip: '198.51.100.1' } },
      'off/net by ip, disabled',
    ],
    [
      'a disabled connector in a note',
      { facts: { note: 'off/net' }, ini: { note: 'tenant' } },
      'off/net by note, disabled',
    ],

    [
      'a blocked AUTH user does not fall through to its certificate, its address or its domain',
      {
        facts: {
          authUser: 'Eve@fabrikam.com',
          certificate: certificate('mx.contoso.com'),
          ip: '192.0.2.1',
        },
      },
      'bad/auth by auth, blocked',
    ],
    [
      'a blocked certificate does not fall through to its address',
      { facts: { certificate: certificate('bad.example'), ip: '192.0.2.1' } },
      'bad/tls by tls, blocked',
    ],
    [
      'a blocked address does not fall through to the AUTH domain',
      { facts: { authUser: 'y@fabrikam.com', ip: '203.0.113.65' } },
      'bad/net by ip, blocked',
    ],
    [
      'a blocked connector in a note',
      { facts: { note: 'bad/net' }, ini: { note: 'tenant' } },
      'bad/net by note, blocked',
    ],
    [
      'another connector of the session, by a method that comes first, is not blocked with it',
      { facts: { authUser: 'bob@contoso.com', ip: '203.0.113.65' } },
      'auth/exact by auth',
    ],
    [
      'blocked and disabled',
      { facts: { authUser: 'trent' } },
      'bad/both by auth, disabled, blocked',
    ],

    [
      'connectors never loaded',
      { facts: { note: 'contoso' }, ini: { note: 'tenant' }, connectors: undefined },
      'undecidable',
    ],
    [
      'no connectors at all',
      { facts: { ip: '192.0.2.1' }, connectors: new ConnectorIndex() },
      'none',
    ],
  ]
  for (const [name, setting, expected] of cases) {
    it(`${name}: ${expected}`, () => assert.equal(brief(attributed(setting)), expected))
  }

  it('names tenant and connector', () => {
    assert.deepEqual(attributed({ facts: { ip: '192.0.2.1' } }), {
      kind: 'attributed',
      tenant: 'ip',
      connector: 'ip/net',
      enabled: true,
      blocked: false,
      method: 'ip',
    })
    const byDomain = attributed({ facts: { authUser: 'x@fabrikam.com' } })
    assert.equal(byDomain.kind === 'attributed' && byDomain.connector, undefined)
    const noted = attributed({ facts: { note: 'contoso/gone' }, ini: { note: 'tenant' } })
    assert.equal(noted.kind === 'attributed' && noted.tenant, 'contoso')
  })

  it('looks up no owner without need', () => {
    const asked: string[] = []
    const ownerOf = (domain: string) => {
      asked.push(domain)
      return null
    }
    const settings = configWith().attribution
    const facts = { certificate: undefined, note: undefined }
    const directories = { connectors: CONNECTORS, connectorsAreRead: true, ownerOf }
    attribute({ ...facts, authUser: 'eve@contoso.com', ip: '' }, directories, settings)
    attribute({ ...facts, authUser: 'x@fabrikam.com', ip: '192.0.2.1' }, directories, settings)
    assert.deepEqual(asked, [])
    attribute({ ...facts, authUser: 'x@fabrikam.com', ip: '' }, directories, settings)
    assert.deepEqual(asked, ['fabrikam.com'])
  })
})
