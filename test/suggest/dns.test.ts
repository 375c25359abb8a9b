import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { InputError } from '../../src/base/errors'
import { Lookup } from '../../src/dns/lookup'
import { dnsServer } from '../../src/dns/server'
import { isInNetworks } from '../../src/suggest/networks'
import { readFacts, ruaOf } from '../../src/suggest/read-facts'
import { parseSpf } from '../../src/suggest/spf'
import { TestDns } from '../support/dns'

const many = Array.from(
  { length: 30 },
  (_, at) =>
    [
      `c${at}.example`,
      { txt: [`v=spf1 include:c${at + 1}.example ip4:10.0.0.${at} -all`] },
    ] as const,
)

describe('the DNS facts', () => {
  let dns: TestDns
  before(async () => {
    dns = await TestDns.start({
      'contoso.com': {
        mx: ['MX.Contoso.com', 'not a host'],
        a: ['192.0.2.80'],
        txt: [
          'other',
          'v=spf1 ip4:192.0.2.0/28 ip6:2001:db8::/32 a mx:mail.example/28 include:_spf.contoso.com ~ip4:10.0.0.1 -all',
        ],
      },
      'mail.example': { mx: ['in.mail.example'] },
      'in.mail.example': { a: ['198.51.100.7'] },
      '_spf.contoso.com': {
        txt: [
          'v=spf1 include:contoso.com ip4:203.0.113.0/24 exists:%{i}.x.example redirect=end.example',
        ],
      },
      'end.example': { txt: ['v=spf1 ip4:203.0.114.1'] },
      '_dmarc.contoso.com': {
        txt: [
          'v=DMARC1; p=none; rua=mailto:a@contoso.com,mailto:b@Rua.Example!10m; ruf=mailto:c@no.example',
        ],
      },
      'two.example': { txt: ['v=spf1 -all', 'v=spf1 +all'] },
      'null.example': { mx: ['.'] },
      'broken.example': { trouble: 'fail' },
      'silent.example': { trouble: 'silent' },
      ...Object.fromEntries(many),
    })
  })
  after(() => dns.stop())

  it('of a domain with all records', async () => {
    assert.deepEqual(await readFacts('contoso.com', new Lookup(dns.address)), {
      mx: ['mx.contoso.com'],
      address: true,
      spf: {
        includes: ['_spf.contoso.com'],
        networks: [
          '192.0.2.0/28',
          '2001:db8::/32',
          '192.0.2.80',
          '198.51.100.7/28',
          '203.0.113.0/24',
          '203.0.114.1',
        ],
      },
      rua: ['contoso.com', 'rua.example'],
    })
  })

  it('of a name below it include DMARC of its organisation', async () => {
    const facts = await readFacts('news.contoso.com', new Lookup(dns.address))
    assert.deepEqual(facts, {
      mx: [],
      address: false,
      spf: null,
      rua: ['contoso.com', 'rua.example'],
    })
  })

  it('of a missing domain, of one with two SPF records, and of one with a null MX', async () => {
    const lookup = new Lookup(dns.address)
    assert.deepEqual(await readFacts('gone.example', lookup), {
      mx: [],
      address: false,
      spf: null,
      rua: [],
    })
    assert.equal((await readFacts('two.example', lookup)).spf, null)
    assert.deepEqual((await readFacts('null.example', lookup)).mx, [])
    assert.equal(lookup.missing, 0)
  })

  it('of an endless SPF record need at most ten lookups', async () => {
    const from = dns.asked.length
    const { spf } = await readFacts('c0.example', new Lookup(dns.address))
    assert.equal(spf?.networks.length, 11)
    const asked = dns.asked.slice(from).filter((each) => /^TXT c\d/.test(each))
    assert.equal(asked.length, 11)
  })

  it('need one question for each name, eight at a time at most', async () => {
    const lookup = new Lookup(dns.address)
    const from = dns.asked.length
    const names = Array.from({ length: 40 }, (_, at) => `n${at % 20}.example`)
    await Promise.all(names.map((name) => lookup.txt(name)))
    await lookup.txt('n3.example')
    assert.equal(dns.asked.length - from, 20)
    assert.ok(dns.most <= 8, String(dns.most))
  })

  it('are undefined if the servers of a domain fail, and others are still asked', async () => {
    const lookup = new Lookup(dns.address)
    for (const name of ['broken.example', 'silent.example']) {
      const { mx, address, spf } = await readFacts(name, lookup)
      assert.deepEqual(
        { mx, address, spf },
        { mx: undefined, address: undefined, spf: undefined },
        name,
      )
    }
    assert.equal(lookup.isAway, false)
    assert.ok(lookup.missing > 0)
    assert.deepEqual(await lookup.mx('contoso.com'), ['mx.contoso.com'])
  })

  it('stop after eight questions if the resolver does not answer', async () => {
    const silent = createSocket('udp4').bind(0, '127.0.0.1')
    await once(silent, 'listening')
    const asked = new Set<string>()
    silent.on('message', (message) => asked.add(message.subarray(12).toString('latin1')))
    const lookup = new Lookup(`127.0.0.1:${silent.address().port}`)
    const names = Array.from({ length: 100 }, (_, at) => `n${at}.example`)
    const answers = await Promise.all(names.map((name) => lookup.txt(name)))
    assert.ok(answers.every((each) => each === undefined))
    assert.equal(lookup.isAway, true)
    assert.ok(asked.size <= 16, String(asked.size))
    assert.equal(lookup.missing, 100)
    silent.close()
  })
})

describe('the address of a resolver', () => {
  for (const [text, parsed] of [
    ['192.0.2.53', '192.0.2.53'],
    ['192.0.2.53:5353', '192.0.2.53:5353'],
    ['2001:db8::53', '[2001:db8::53]'],
    ['[2001:db8::53]', '[2001:db8::53]'],
    ['[2001:db8::53]:5353', '[2001:db8::53]:5353'],
  ] as const) {
    it(`${text} is valid`, () => assert.equal(dnsServer(text), parsed))
  }
  for (const text of [
    '',
    'dns.example',
    '192.0.2.53:0',
    '192.0.2.53:65536',
    '192.0.2.53:x',
    '[::1',
    ':53',
  ]) {
    it(`"${text}" is rejected`, () => assert.throws(() => dnsServer(text), InputError))
  }
})

describe('records', () => {
  it('of SPF have the terms that authorise, and no others', () => {
    const terms = parseSpf(
      'v=spf1 +ip4:192.0.2.1 -ip4:10.0.0.1 ?a ~mx A/24//64 mx:X.example exists:%{i}.x ptr include:%{d}.x exp=y redirect=z.example -all',
    )
    assert.deepEqual(
      terms.map(({ name, value, length }) => [name, value, length]),
      [
        ['ip4', '192.0.2.1', undefined],
        ['a', '', 24],
        ['mx', 'x.example', undefined],
        ['redirect', 'z.example', undefined],
      ],
    )
  })

  it('of DMARC have the domains of reports', () => {
    assert.deepEqual(ruaOf('v=DMARC1; rua=mailto:a@x.example, mailto:b@y.example; p=none'), [
      'x.example',
      'y.example',
    ])
    assert.deepEqual(ruaOf('v=DMARC1; p=none; ruf=mailto:a@x.example'), [])
    assert.deepEqual(ruaOf('v=DMARC1; rua=https://x.example/'), [])
  })
})

describe('a network', () => {
  it('contains whole prefixes of its own family', () => {
    const networks = ['not one', '10.0.0.0/99', '192.0.2.0/24', '2001:db8::/32', '198.51.100.7']
    for (const prefix of ['192.0.2.0/24', '192.0.2.128/25', '2001:db8:7::/48', '198.51.100.7/32'])
      assert.equal(isInNetworks(prefix, networks), true, prefix)
    for (const prefix of [
      '192.0.0.0/16',
      '192.0.3.1/32',
      '2001:db9::/48',
      '198.51.100.8/32',
      '10.0.0.1/32',
    ])
      assert.equal(isInNetworks(prefix, networks), false, prefix)
  })
})
