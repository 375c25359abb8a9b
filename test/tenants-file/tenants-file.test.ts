import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import { InputError } from '../../src/base/errors'
import { parseTenantsFile } from '../../src/tenants-file/parse'
import { readTenantsFile } from '../../src/tenants-file/read'

const FULL = `
id: site-a
tenants:
  contoso:
    name: Contoso Ltd
    mode: monitor
    limits: 300/1h, 1500/1d
    null_limits: 300/1h
    domains:
      - contoso.com
      - { name: contoso.net, subdomains: true }
      - { name: printer.local, shared: true, force: true }
    connectors:
      hq: { ip: [192.0.2.0/24], cert: [mail.contoso.com], cert_sha256: [], auth: ['*@contoso.com'], enabled: true }
`

/** The mistakes in a text, without the name of the file. */
function mistakesIn(text: string): string[] {
  try {
    parseTenantsFile(text, 't.yaml')
  } catch (error) {
    assert.ok(error instanceof InputError, String(error))
    return error.message.split('\n').map((line) => {
      assert.match(line, /^t\.yaml:/)
      return line.slice('t.yaml:'.length)
    })
  }
  return []
}

describe('a tenants file', () => {
  it('says all there is to say of a tenant', () => {
    const { id, filename, tenants } = parseTenantsFile(FULL, 't.yaml')
    assert.deepEqual([id, filename, tenants.length], ['site-a', 't.yaml', 1])
    const contoso = tenants[0]!
    assert.equal(contoso.id, 'contoso')
    assert.deepEqual(contoso.place, { line: 4, column: 3 })
    assert.deepEqual(contoso.settings, {
      name: 'Contoso Ltd',
      mode: 'monitor',
      limits: '300/1h, 1500/1d',
      nullLimits: '300/1h',
    })
    assert.deepEqual(
      contoso.domains.map(({ domain, subdomains, shared, force, place: { line, column } }) => [
        ...[domain, subdomains, shared, force],
        ...[line, column],
      ]),
      [
        ['contoso.com', false, false, false, 10, 9],
        ['contoso.net', true, false, false, 11, 17],
        ['printer.local', false, true, true, 12, 17],
      ],
    )
    const [hq] = contoso.connectors
    assert.equal(hq?.name, 'hq')
    assert.equal(hq.enabled, true)
    assert.deepEqual(hq.identities, {
      ip: ['192.0.2.0/24'],
      cert: ['mail.contoso.com'],
      certSha256: [],
      auth: ['*@contoso.com'],
    })
    assert.deepEqual(hq.places.get('cert:mail.contoso.com'), { line: 14, column: 40 })
  })

  it('mentions only what it mentions', () => {
    const { tenants } = parseTenantsFile(
      'id: a\ntenants:\n  contoso:\n  fabrikam:\n    connectors:\n      hq: { auth: [alice] }\n',
      't',
    )
    assert.deepEqual(
      tenants.map(({ id, settings, domains }) => [id, settings, domains]),
      [
        ['contoso', {}, []],
        ['fabrikam', {}, []],
      ],
    )
    assert.deepEqual(tenants[1]?.connectors[0]?.identities, { auth: ['alice'] })
    assert.equal(tenants[1].connectors[0].enabled, undefined)
  })

  it('may say who is told about a tenant', () => {
    const file = (contact: string): string => `id: a\ntenants: { c: { contact: ${contact} } }`
    const { tenants } = parseTenantsFile(file('Ann@Webmail.example'), 't')
    assert.deepEqual(tenants[0]?.settings, { contact: 'Ann@webmail.example' })
    assert.match(mistakesIn(file('ann')).join(), /^2:\d+: "ann" is no mail address/)
  })

  it('takes settings back to the default', () => {
    const { tenants } = parseTenantsFile(
      'id: a\ntenants: { c: { mode: default, limits: default, null_limits: default, contact: default } }',
      't',
    )
    assert.deepEqual(tenants[0]?.settings, {
      mode: null,
      limits: null,
      nullLimits: null,
      contact: null,
    })
  })

  it('may be empty, or have an id and no tenants', () => {
    for (const empty of ['', '\n', '# nothing yet\n', '---\n', 'null\n']) {
      assert.deepEqual(parseTenantsFile(empty, 't'), { filename: 't', id: undefined, tenants: [] })
    }
    for (const none of ['id: a\ntenants: {}\n', 'id: a\ntenants:\n', 'id: a\n']) {
      assert.deepEqual(parseTenantsFile(none, 't'), { filename: 't', id: 'a', tenants: [] })
    }
  })

  it('takes ids and users that look like numbers as they are written', () => {
    const { id, tenants } = parseTenantsFile(
      'id: 007\ntenants:\n  0123:\n    connectors: { 1e3: { auth: [0456] } }\n',
      't',
    )
    assert.equal(id, '007')
    assert.equal(tenants[0]?.id, '0123')
    assert.equal(tenants[0].connectors[0]?.name, '1e3')
    assert.deepEqual(tenants[0].connectors[0].identities.auth, ['0456'])
  })

  it('may repeat itself with aliases', () => {
    const text =
      'id: a\ntenants:\n  c: { limits: &std 300/1h, domains: &none [] }\n  d: { limits: *std, domains: *none }\n'
    assert.equal(parseTenantsFile(text, 't').tenants[1]?.settings.limits, '300/1h')
  })

  it('is told all its mistakes at once, with line and column', () => {
    const text = `
id: Site A
tenants:
  Contoso:
    nmae: x
    mode: on
    limits: 300
    domains:
      - co.uk
      - { name: printer.local }
      - { subdomains: true }
      - { name: a.example, subdomains: maybe }
      - 192.0.2.1
      - [b.example]
    connectors:
      hq: { ip: [192.0.2.1/24, 192.0.2.300], cert: mail.contoso.com, auth: [true] }
      Branch: {}
  fabrikam: yes
surplus: 1
`
    const mistakes = mistakesIn(text)
    const expected = [
      /^2:5: "Site A" is not an id: use /,
      /^4:3: "Contoso" is not a tenant id/,
      /^5:5: tenant Contoso has no key "nmae": use name, mode/,
      /^6:11: "on" is no mode/,
      /^7:13: "300" is not a limit/,
      /^9:9: co\.uk is a public suffix/,
      /^10:17: printer\.local is outside the public DNS/,
      /^11:9: a domain has no name/,
      /^12:40: subdomains must be true or false, not "maybe"/,
      /^13:9: "192\.0\.2\.1" is not a domain name/,
      /^14:9: a domain must be a text, not a list/,
      /^16:18: "192\.0\.2\.1\/24" has bits set/,
      /^16:32: "192\.0\.2\.300" is not an IP prefix/,
      /^16:52: cert must be a list \(- item\), not "mail\.contoso\.com"/,
      /^16:77: auth must be a text, not "true": put it in quotes/,
      /^17:7: "Branch" is not a connector name/,
      /^17:7: connector Contoso\/Branch would match nothing/,
      /^18:13: tenant fabrikam must be a mapping \(key: value\), not "yes"/,
      /^19:1: the file has no key "surplus": use id, tenants/,
    ]
    assert.equal(mistakes.length, expected.length, mistakes.join('\n'))
    expected.forEach((each, at) => assert.match(mistakes[at]!, each))
  })

  it('must have an id', () => {
    assert.match(mistakesIn('tenants: {}\n')[0]!, /^1:1: the file has no id: give it one/)
    assert.match(mistakesIn('id:\ntenants: {}\n')[0]!, /^1:1: id must be a text, not empty/)
    assert.match(mistakesIn('- a\n')[0]!, /^1:1: the file must be a mapping/)
  })

  it('must not say a thing twice', () => {
    const text = `
id: a
id: b
tenants:
  contoso:
    domains: [contoso.com, CONTOSO.com, { name: a.example, subdomains: true }]
    connectors:
      hq: { ip: [192.0.2.1, 192.0.2.1/32] }
      branch: { auth: [Alice] }
  fabrikam:
    domains: [contoso.com, x.a.example, { name: a.local, shared: true }]
    connectors:
      hq: { auth: [alice] }
  contoso: {}
  tailspin:
    domains: [{ name: a.local, shared: true }, { name: contoso.com, shared: true }]
`
    const expected = [
      '3:1: the file has the key "id" twice, first in line 2: keep one',
      '6:28: contoso.com is there twice, first in line 6: keep one',
      '8:29: 192.0.2.1/32 is there twice: keep one',
      '11:15: contoso.com belongs to contoso (line 6): keep one, or make both shared',
      '11:28: x.a.example lies below a.example, which contoso has with subdomains (line 6): keep one of them',
      '13:20: auth alice belongs to connector contoso/branch (line 9): a session must match one connector only, so keep one',
      '14:3: tenants has the key "contoso" twice, first in line 5: keep one',
    ]
    assert.deepEqual(mistakesIn(text), expected)
  })

  it('that is no YAML is refused with the place', () => {
    assert.match(mistakesIn('id: a\ntenants:\n\tcontoso: {}\n')[0]!, /^3:\d+: /)
    assert.match(mistakesIn('id: a\ntenants: { contoso: {\n')[0]!, /^\d+:\d+: /)
    assert.match(mistakesIn('id: a\n---\nid: b\n')[0]!, /^\d+:\d+: .*multiple documents/i)
  })

  it('explains a star that is not in quotes', () => {
    const text = 'id: a\ntenants: { c: { connectors: { hq: { auth: [*@contoso.com] } } } }\n'
    const mistakes = mistakesIn(text)
    assert.equal(mistakes.length, 1)
    assert.match(
      mistakes[0]!,
      /^2:44: \*@contoso\.com stands for an anchor.*in quotes, '\*@contoso\.com'/,
    )
  })

  it('is bounded in size, depth and aliases', async () => {
    const large = `id: a\n#${'x'.repeat(4 * 1024 * 1024)}`
    assert.match(mistakesIn('['.repeat(200_000))[0]!, /^1:\d+: is nested too deeply/)

    const list = `&d [${Array.from({ length: 20_000 }, (_, at) => `d${at}.example`).join(', ')}]`
    const tenants = Array.from({ length: 500 }, (_, at) => `  t${at}: { domains: *d }`)
    const bomb = `id: a\ntenants:\n  t: { domains: ${list} }\n${tenants.join('\n')}\n`
    assert.match(mistakesIn(bomb)[0]!, /more than 1000000 values with its aliases expanded/)

    const laughs = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: &c [*b, *b]', 'id: a', 'tenants: *c']
    assert.ok(mistakesIn(laughs.join('\n')).length > 0)
    assert.ok(mistakesIn('id: a\ntenants: &t { c: { domains: [*t] } }').length > 0)

    const folder = await mkdtemp(path.join(tmpdir(), 'ud-'))
    try {
      const file = path.join(folder, 'large.yaml')
      await writeFile(file, large)
      await assert.rejects(readTenantsFile(file), /has more than 4194304 bytes: split it/)
      await writeFile(file, FULL)
      assert.equal((await readTenantsFile(file)).id, 'site-a')
      await assert.rejects(readTenantsFile(path.join(folder, 'none.yaml')), (error: Error) => {
        assert.ok(error instanceof InputError)
        assert.match(error.message, /none\.yaml: cannot be read: ENOENT/)
        return true
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('names a hundred mistakes and counts the rest', () => {
    const text = `id: a\ntenants:\n${Array.from({ length: 150 }, (_, at) => `  T${at}: {}`).join('\n')}\n`
    const mistakes = mistakesIn(text)
    assert.equal(mistakes.length, 101)
    assert.equal(mistakes[100], ' and 50 more mistakes')
  })
})
