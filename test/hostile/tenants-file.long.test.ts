// A tenants file made to break the reader, or written by a faulty program.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { InputError } from '../../src/base/errors'
import { parseTenantsFile } from '../../src/tenants-file/parse'
import { textOf } from '../../src/tenants-file/read'
import { Cli } from '../cli/cli'
import { scratchDir, startRedis, startRelay, waitFor, type TestRedis } from '../support'

const LARGE = 200_000
const MB = 2 ** 20

const many = (text: string): string => text.repeat(Math.floor(LARGE / text.length))
const inDomains = (text: string): string => `id: a\ntenants: { c: { domains: [${text}] } }\n`

/** The mistakes of a file, by the first line of the message; one a line where there are several. */
const BAD: Readonly<Record<string, readonly [text: string, message: RegExp]>> = {
  'a billion laughs': [
    [
      'a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]',
      ...['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name, at) => {
        const list = Array(9).fill(`*${'abcdefgh'[at]}`)
        return `${name}: &${name} [${list.join(', ')}]`
      }),
      'id: laughs\ntenants: { c: { domains: *i } }',
    ].join('\n'),
    /^1:1: the file has no key "a"/,
  ],
  'aliases of large lists': [
    `id: a\ntenants:\n  t: { domains: &d [${Array.from({ length: 1000 }, (_, at) => `d${at}.example`).join(', ')}] }\n` +
      Array.from({ length: 1100 }, (_, at) => `  t${at}: { domains: *d }\n`).join(''),
    /^ holds more than 1000000 values with its aliases expanded/,
  ],
  'an anchor in itself': ['id: a\ntenants: &t { c: { domains: [*t] } }', /^2:\d+: a domain /],
  'a merge key': ['id: a\ntenants:\n  c: &c {}\n  d: { <<: *c }', /^4:8: tenant d has no key "<<"/],
  'doubled keys': ['id: a\ntenants:\n  c: {}\n  c: {}', /^4:3: tenants has the key "c" twice/],
  'ever more doubled keys': [`id: a\ntenants:\n${many('  c: {}\n')}`, /^4:3: /],
  'two documents': ['id: a\n---\nid: b\n', /^2:1: there are multiple documents/],
  'many documents': [many('---\n'), /^2:1: there are multiple documents/],
  'a function': [inDomains('!!js/function "function () {}"'), /^2:\d+: Unresolved tag/],
  'a binary': [inDomains('!!binary Y29udG9zby5jb20='), /^2:\d+: /],
  'a set': [inDomains('!!set { contoso.com }'), /^2:\d+: a domain has no name/],
  'a custom tag': [inDomains('!tenant contoso.com'), /^2:\d+: Unresolved tag/],
  'ever more brackets': [many('['), /^1:\d+: is nested too deeply/],
  'ever more braces': [many('{a: '), /^1:\d+: is nested too deeply/],
  'ever more closed brackets': [many(']'), /^1:1: Unexpected flow-seq-end/],
  'ever more commas': [`[${many(',')}]`, /^1:\d+: Unexpected ,/],
  'a million lines': ['\n'.repeat(1_000_001), /^ has more than 1000000 lines, items/],
  'ever more dashes': [many('- '), /^1:\d+: is nested too deeply/],
  'ever more keys in keys': [many('? '), /^1:\d+: With stringKeys, all keys/],
  'a thousand levels of indentation': [
    Array.from({ length: 1500 }, (_, at) => `${' '.repeat(at)}a:\n`).join(''),
    /^\d+:\d+: is nested too deeply/,
  ],
  'ever more colons': [many(':'), /^1:1: /],
  'ever more anchors': [many('&a '), /^1:\d+: A node can have at most one anchor/],
  'ever more stars': [inDomains(many('*x, ')), /^2:27: \*x stands for an anchor that is not there/],
  'a NUL': [inDomains('"a\\0.example"'), /^2:\d+: "a\\u0000\.example" is not a domain name/],
  'a raw NUL': [inDomains('a\0.example'), /^2:\d+: .* is not a domain name/],
  'a byte order mark inside': [inDomains('a.exam\ufeffple'), /^2:\d+: /],
  'a tab': ['id: a\ntenants:\n\tc: {}', /^3:\d+: Tabs are not allowed/],
  'a long name': [inDomains(many('a')), /^2:27: /],
  'a long name in Unicode': [inDomains(many('ü')), /^2:27: /],
  'a long list of labels': [inDomains(many('a.')), /^2:27: /],
  'a long limit': [`id: a\ntenants: { c: { limits: "${many('1')}/1h" } }`, /^2:25: /],
  'an endless quote': [`id: a\ntenants: "${many('x\n ')}`, /^\d+:\d+: Missing closing "quote/],
  'an escape in an alias': [inDomains('*a\x1bm\u202e'), /^2:27: \*a m  ?stands/],
  '__proto__ as a tenant': [
    'id: a\ntenants: { __proto__: {} }',
    /^2:12: "__proto__" is not a tenant id/,
  ],
  '__proto__ as a key': [
    'id: a\n__proto__: { tenants: {} }',
    /^2:1: the file has no key "__proto__"/,
  ],
  'constructor as a key': ['id: a\ntenants: { c: { constructor: x } }', /no key "constructor"/],
  'toString as a key': ['id: a\ntoString: 1', /^2:1: the file has no key "toString"/],
  'keys of ours': [
    'id: a\ntenants: { "ud:{x}": {}, "@tenants": {} }',
    /^2:12: "ud:\{x\}" is not a tenant id/,
  ],
  'a list as a key': ['id: a\n? [tenants]\n: {}', /^2:\d+: With stringKeys/],
}

/** The message about a text, without the name of the file. */
function mistakesIn(text: string): string[] {
  try {
    parseTenantsFile(text, 't.yaml')
  } catch (error) {
    assert.ok(error instanceof InputError, String((error as Error).stack))
    const lines = error.message.split('\n')
    assert.ok(lines.length <= 101, String(lines.length))
    return lines.map((line) => line.replace(/^t\.yaml:/, ''))
  }
  return []
}

describe('a hostile tenants file', () => {
  for (const [what, [text, message]] of Object.entries(BAD)) {
    it(`with ${what} is refused with its line`, () => {
      const [first = 'nothing'] = mistakesIn(text)
      assert.match(first, message)
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(first, /[\x00-\x1f\x7f-\x9f\u202a-\u202e]/)
      assert.ok(first.length < 1000, first.slice(0, 200))
    })
  }

  it('that is unusual but valid is read', () => {
    for (const text of [
      '\ufeffid: a\ntenants: {}\n',
      'id: a\r\ntenants:\r\n  constructor:\r\n    domains: [a.example]\r\n',
      `id: a\n${many('\n')}tenants: {}\n`,
      `id: a\n${many('# x\n')}tenants: {}\n`,
    ]) {
      assert.equal(parseTenantsFile(text, 't').id, 'a')
    }
  })

  it('that is not UTF-8 is refused with its line', () => {
    const bytes = Buffer.from('id: a\ntenants: {} # M\xfcnchen\n', 'latin1')
    assert.throws(() => textOf(bytes, 't'), /^InputError: t:2:16: is not UTF-8/)
  })

  it('of any shape is read, or refused with a readable message', () => {
    const scalar = fc.constantFrom(
      ...['a', 'contoso.com', '1', '-1', '1.5e3', 'true', 'null', '~', '""', "''", '*a', '&a b'],
      ...[
        '300/1h',
        '192.0.2.1',
        '0x10',
        '2001-01-01',
        '!!str x',
        '!!int x',
        '__proto__',
        '"\\0"',
        '|',
        '>',
      ],
    )
    const node: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        scalar,
        fc.array(tie('node'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
        fc
          .array(fc.tuple(fc.constantFrom(...KEYS), tie('node')), { maxLength: 4 })
          .map((pairs) => `{${pairs.map(([key, value]) => `${key}: ${value}`).join(', ')}}`),
      ),
    })).node
    fc.assert(
      fc.property(node, node, (id, tenants) => void mistakesIn(`id: ${id}\ntenants: ${tenants}\n`)),
      { numRuns: 3000 },
    )
    const noise = fc.string({
      unit: fc.constantFrom(...'id: a\n[]{},&*!|>%@`"\'#-?\t\0tenants'.split('')),
    })
    fc.assert(
      fc.property(noise, (text) => void mistakesIn(`id: a\ntenants:\n${text}`)),
      { numRuns: 3000 },
    )
  })
})

const KEYS = [
  ...['id', 'tenants', 'contoso', 'name', 'mode', 'limits', 'null_limits', 'domains', 'connectors'],
  ...[
    'subdomains',
    'shared',
    'ip',
    'cert',
    'cert_sha256',
    'auth',
    'enabled',
    'constructor',
    '<<',
    '""',
  ],
]

describe('a running Haraka', () => {
  it('refuses such a file, serves its sessions meanwhile, and applies the next one', async (t) => {
    const name = 'unregistered-domain.tenants.yaml'
    const relay = await startRelay({ config: { [name]: 'id: a\ntenants: { contoso: {} }\n' } })
    t.after(() => relay.stop())
    const { haraka } = relay
    await haraka.waitForLog(/tenants\.yaml: applied/)
    const pid = haraka.pid
    const session = await haraka.connect()
    const change = async (text: string | Buffer, message: RegExp) => {
      const from = haraka.log.length
      writeFileSync(path.join(haraka.configDir, name), text)
      let slowest = 0
      const answered = async () => {
        const start = performance.now()
        assert.equal((await session.command('NOOP')).code, 250)
        slowest = Math.max(slowest, performance.now() - start)
        return message.test(haraka.log.slice(from))
      }
      await waitFor(answered, { timeout: 60_000, what: String(message) })
      return Math.round(slowest)
    }
    const tooLarge = Buffer.alloc(50 * MB, 'id: a\ntenants: { contoso: { name: Huge } }\n')
    const refusals = {
      'of 50 MB': await change(tooLarge, /cannot be read: .* is larger than 8388608 octets/),
      'of commas': await change(
        `{${':,'.repeat(2_000_000)}}`,
        /: has more than 1000000 lines, items and brackets/,
      ),
      'of a good size': await change(largest(), /tenants\.yaml: applied/),
    }
    t.diagnostic(`slowest answer to NOOP in ms: ${JSON.stringify(refusals)}`)
    assert.equal(haraka.pid, pid)
    assert.equal((await relay.registry.tenants.get('contoso'))?.name, 'Large')
    assert.equal((await relay.registry.domains.list('contoso')).length, LARGEST)
    await session.quit()
  })
})

const LARGEST = 50_000

function largest(): string {
  const domains = Array.from({ length: LARGEST }, (_, at) => `      - d${at}.example\n`).join('')
  return `id: a\ntenants:\n  contoso:\n    name: Large\n    domains:\n${domains}`
}

describe('tenantctl apply', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  it('refuses them in clean lines, and changes nothing', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'domain add contoso contoso.example')
    const client = redis.client()
    const keys = async () => (await client.keys('*')).sort()
    const before = await keys()
    const file = path.join(scratchDir('hostile'), 't.yaml')
    const files = [
      // Files that are slow to read are covered above.
      ...Object.values(BAD).flatMap(([text]) =>
        text.length < LARGE / 2 ? [Buffer.from(text)] : [],
      ),
      Buffer.alloc(50 * MB, '# a file of 50 MB\nid: a\ntenants: {}\n'),
      Buffer.alloc(50 * MB, '['),
      Buffer.alloc(50 * MB),
      Buffer.from([0xff, 0xfe, 0x69, 0x00]),
    ]
    for (const content of files) {
      writeFileSync(file, content)
      const { status, out, err } = await cli.run('apply', file)
      assert.equal(status, 2, err)
      assert.equal(out, '')
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(err, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/)
    }
    for (const [name, message] of [
      ['/dev/zero', /: has more than 4194304 bytes/],
      [path.dirname(file), /cannot be read: EISDIR/],
    ] as const) {
      const { status, err } = await cli.run('apply', name)
      assert.equal(status, 2)
      assert.match(err, message)
    }
    assert.deepEqual(await keys(), before)
  })
})
