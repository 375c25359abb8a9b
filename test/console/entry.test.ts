import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { Entry, type Arrival } from '../../src/console/access/entry'
import type { Proxy } from '../../src/console/access/proxy'

const PROXY: Proxy = {
  userHeader: 'x-user',
  groupsHeader: 'x-groups',
  viewers: ['@helpdesk', 'carol'],
  operators: ['@mail'],
  admins: ['ann'],
  proxySecretHeader: 'x-console-secret',
  trustedProxies: ['10.0.0.0/8', '2001:db8::/32'],
  secret: undefined,
}
const SECRET = '0123456789abcdef0123456789abcdef'

let log: string[] = []
let time = 0
beforeEach(() => {
  log = []
  time = 1e12
})

function newEntry(proxy: Partial<Proxy> | undefined): Entry {
  return new Entry(
    proxy && { ...PROXY, ...proxy },
    (line) => log.push(line),
    () => time,
  )
}

/** A request with these headers, each `Name: value`. */
function arrive(entry: Entry, headers: readonly string[], cookie?: string, isUse = true): Arrival {
  const raw = headers.flatMap((line) => line.split(': '))
  return entry.arrive({ headers: raw, peer: '10.0.0.1', cookie, isUse })
}

function whoIs(arrival: Arrival): string {
  if ('why' in arrival) return `${arrival.status} ${arrival.why}`
  const { session } = arrival
  return session ? `${session.person.name}, ${session.person.role}` : 'nobody'
}

describe('behind a proxy', () => {
  for (const [headers, expected] of [
    [['X-User: ann'], 'ann, admin'],
    [['x-USER: ann', 'X-Groups: helpdesk'], 'ann, admin'],
    [['X-User: carol'], 'carol, viewer'],
    [['X-User: dan', 'X-Groups: staff, mail,helpdesk'], 'dan, operator'],
    [['X-User: dan', 'X-Groups: helpdesk'], 'dan, viewer'],
    [['X-User: jürgen', 'X-Groups: mail'], 'jürgen, operator'],
    [[], 'nobody'],
    [['X-User: '], 'nobody'],
    [['X-Groups: mail'], 'nobody'],
    [['X-User: eve'], '403 eve is signed in, but in no list'],
    [['X-User: eve', 'X-Groups: ann, viewers, @mail'], '403 eve is signed in, but in no list'],
    [['X-User: @mail'], '403 @mail is signed in, but in no list'],
    [['X-User: ANN'], '403 ANN is signed in, but in no list'],
    [['X-User: ann', 'X-User: ann'], '400 The header x-user came twice'],
    [['X-User: eve', 'x-user: ann'], '400 The header x-user came twice'],
    [['X-User: dan', 'X-Groups: a', 'X-Groups: mail'], '400 The header x-groups came twice'],
    [['X-User: ann', 'X-Console-Secret: a', 'X-Console-Secret: b'], '400 The header x-console'],
    [[`X-User: ${'a'.repeat(91)}`], '400 The header x-user has no name of up to 90'],
    [['X-User: ann\tbob'], '400 The header x-user has no name of up to 90'],
  ] as const) {
    it(`${JSON.stringify(headers)} is ${expected}`, () => {
      const latin = headers.map((line) => Buffer.from(line).toString('latin1'))
      const found = whoIs(arrive(newEntry({}), latin))
      assert.ok(found.startsWith(expected), found)
    })
  }

  it('a name counts only with the secret, where there is one', () => {
    const entry = newEntry({ secret: SECRET })
    assert.equal(whoIs(arrive(entry, ['X-User: ann', `X-Console-Secret: ${SECRET}`])), 'ann, admin')
    for (const given of ['', 'x', SECRET.slice(1), `${SECRET}0`, SECRET.toUpperCase()]) {
      const found = whoIs(arrive(entry, ['X-User: ann', `X-Console-Secret: ${given}`]))
      assert.match(found, /^403 The header x-console-secret does not have the secret/)
    }
    assert.match(whoIs(arrive(entry, ['X-User: ann'])), /^403/)
    assert.equal(whoIs(arrive(entry, [])), 'nobody')
  })

  it('a session goes on with its cookie, and has the role of the last request', () => {
    const entry = newEntry({})
    const first = arrive(entry, ['X-User: dan', 'X-Groups: mail'])
    assert.ok('session' in first && first.cookie)
    const { cookie } = first
    const second = arrive(entry, ['X-User: dan', 'X-Groups: helpdesk'], cookie)
    assert.equal(whoIs(second), 'dan, viewer')
    assert.ok('session' in second && second.session === first.session && !second.cookie)
    assert.equal(entry.sessions.list().length, 1)
    assert.match(whoIs(arrive(entry, ['X-User: dan'], cookie)), /^403/)
    assert.deepEqual(entry.sessions.list(), [])
  })

  it('a session is of its user: another one, or none, does not go on with it', () => {
    const entry = newEntry({})
    const first = arrive(entry, ['X-User: ann'])
    assert.ok('session' in first)
    const carol = arrive(entry, ['X-User: carol'], first.cookie)
    assert.equal(whoIs(carol), 'carol, viewer')
    assert.ok('session' in carol && carol.cookie !== first.cookie)
    assert.equal(whoIs(arrive(entry, [], carol.cookie)), 'nobody')
    assert.deepEqual(entry.sessions.list(), [])
  })

  it('a page that asks by itself begins no session', () => {
    assert.equal(whoIs(arrive(newEntry({}), ['X-User: ann'], undefined, false)), 'nobody')
  })

  it('a link lets in whom it names, with its role', () => {
    const entry = newEntry({})
    const root = { provider: 'console', subject: 'root', name: 'root', role: 'viewer' } as const
    const signed = entry.signIn(entry.links.make(root), '10.0.0.1', undefined)
    assert.equal(whoIs(arrive(entry, ['X-User: ann'], signed?.cookie)), 'root, viewer')
  })

  it('a link lets in whom no list has, too', () => {
    const entry = newEntry({})
    const eve = { headers: ['X-User', 'eve'], peer: '10.0.0.1' }
    assert.ok('address' in entry.sender(eve))
    const root = { provider: 'console', subject: 'root', name: 'root', role: 'admin' } as const
    const signed = entry.signIn(entry.links.make(root), '10.0.0.1', undefined)
    assert.equal(whoIs(arrive(entry, ['X-User: eve'], signed?.cookie)), 'root, admin')
    assert.match(whoIs(arrive(entry, ['X-User: eve'])), /^403 eve/)
    assert.match(
      log.join('\n'),
      /sign-in failed from 10\.0\.0\.1: eve is signed in, but in no list/,
    )
  })

  for (const [forwarded, expected] of [
    [[], '10.0.0.1'],
    [['192.0.2.1'], '192.0.2.1'],
    [['203.0.113.9, 192.0.2.1'], '192.0.2.1'],
    [['203.0.113.9', '192.0.2.1, 10.0.0.2'], '192.0.2.1'],
    [['192.0.2.1, 10.0.0.3, 2001:db8::1, ::ffff:10.0.0.2'], '192.0.2.1'],
    [['10.0.0.3'], '10.0.0.1'],
    [['192.0.2.1, <script>'], '10.0.0.1'],
    [['192.0.2.1, '], '10.0.0.1'],
  ] as const) {
    it(`X-Forwarded-For ${JSON.stringify(forwarded)} leads to ${expected}`, () => {
      const headers = forwarded.map((value) => `X-Forwarded-For: ${value}`)
      const arrival = arrive(newEntry({}), ['X-User: ann', ...headers])
      assert.equal('address' in arrival && arrival.address, expected)
    })
  }
})

describe('with links alone', () => {
  it('no header lets anybody in, or says where a request comes from', () => {
    const headers = ['X-User: ann', 'X-Console-Secret: x', 'X-Forwarded-For: 192.0.2.9']
    const arrival = arrive(newEntry(undefined), headers)
    assert.deepEqual(arrival, { address: '10.0.0.1', session: undefined })
  })

  it('a sign-in ends the session that the browser had, and the log has both', () => {
    const entry = newEntry(undefined)
    const ann = { provider: 'console', subject: 'ann', name: 'ann', role: 'admin' } as const
    const first = entry.signIn(entry.links.make(ann), '192.0.2.1', undefined)
    const second = entry.signIn(entry.links.make(ann), '192.0.2.1', first?.cookie)
    assert.notEqual(second?.cookie, first?.cookie)
    assert.equal(entry.sessions.list().length, 1)
    const line = 'ann signed in by a link as admin, from 192.0.2.1'
    assert.deepEqual(log, [line, line])
  })

  it('ten links that do not work make an address wait, and the log no longer', () => {
    const entry = newEntry(undefined)
    for (let each = 0; each < 20; each++) entry.look('guess', '2001:db8:0:1::1')
    assert.equal(entry.wait('2001:db8:0:1:ffff::2'), 60)
    assert.equal(entry.wait('2001:db8:0:2::1'), 0)
    assert.equal(log.length, 10)
    assert.doesNotMatch(log.join(), /guess/)
    time += 60_000
    assert.equal(entry.wait('2001:db8:0:1::1'), 0)
  })
})
