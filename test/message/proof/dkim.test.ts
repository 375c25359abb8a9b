import assert from 'node:assert/strict'
import { createPublicKey, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import type { Zone } from '../../support/dns'
import { keyZones, signer, signMessage, type SignOptions } from '../../support/signed'
import { ask, mail, MAIL, onTop, useDns, type Asked } from './asking'

const bank: SignOptions = { domain: 'bank.example' }
const SECOND = 1000

/** A key of this many bits without a private part, which would be slow to make. */
function foreignKey(bits: number, exponent = 'AQAB'): string {
  const modulus = randomBytes(bits / 8)
  modulus[0] = 0xff
  modulus[modulus.length - 1] = 0xff
  return createPublicKey({
    key: { kty: 'RSA', n: modulus.toString('base64url'), e: exponent },
    format: 'jwk',
  })
    .export({ type: 'spki', format: 'der' })
    .toString('base64')
}

const at = (selector: string): SignOptions => ({ ...bank, selector })
const oneKey = (selector: string, tags: Record<string, string> = {}, options: object = {}) =>
  keyZones([signer({ ...at(selector), ...options })], tags)

const NAMES = [
  ...['bank.example', 'news.bank.example', 'esp.example', 'other.example', 'bank.co.uk'],
  ...['evil.co.uk', 'co.uk', 'github.io', 'alice.github.io'],
]

const dns = useDns({
  ...keyZones(NAMES.map((domain) => signer({ domain }))),
  ...oneKey('ed', {}, { type: 'ed25519' }),
  ...oneKey('r768', {}, { bits: 768 }),
  ...oneKey('r1024', {}, { bits: 1024 }),
  ...oneKey('r4096', { p: foreignKey(4096) }),
  ...oneKey('r4224', { p: foreignKey(4224) }),
  ...oneKey('r16384', { p: foreignKey(16_384) }),
  ...oneKey('exponent', { p: foreignKey(2048, randomBytes(255).toString('base64url')) }),
  ...oneKey('testing', { t: 'y:s' }),
  ...oneKey('strict', { t: 's' }),
  ...oneKey('revoked', { p: '' }),
  ...oneKey('garbage', { p: 'AAAA' }),
  ...oneKey('otherkind', { k: 'ed25519' }),
  ...oneKey('unknownkind', { k: 'dsa' }),
  ...oneKey('version', { v: 'DKIM2' }),
  ...oneKey('sha1', { h: 'sha1' }),
  ...oneKey('sha', { h: 'sha1:sha256', s: 'email', n: 'ours' }),
  ...oneKey('service', { s: 'tlsrpt' }),
  ...oneKey('huge', { n: 'x'.repeat(60_000) }),
  's2._domainkey.bank.example': { txt: [`p=${signer(bank).publicKey}`] },
  'two._domainkey.bank.example': {
    txt: [`p=${signer(bank).publicKey}`, `p=${signer(bank).publicKey}`],
  },
  'address._domainkey.bank.example': { a: ['192.0.2.1'] },
  'fail._domainkey.bank.example': { trouble: 'fail' },
  'silent._domainkey.bank.example': { trouble: 'silent' },
})

interface Case {
  readonly name: string
  readonly message: string
  /** The domain that proves it, or the reason that there is no proof. */
  readonly expected: string
  readonly asked?: Asked
}

const proven = (name: string, message: string, domain = 'bank.example', asked?: Asked): Case => ({
  ...{ name, message, expected: `dkim ${domain}` },
  ...(asked && { asked }),
})
const not = (reason: string, name: string, message: string, asked?: Asked): Case => ({
  ...{ name, message, expected: reason },
  ...(asked && { asked }),
})
const tagged = (tags: NonNullable<SignOptions['tags']>, message = MAIL): string =>
  signMessage(message, { ...bank, tags })
const to = (...values: string[]): string => signMessage(mail({ To: values }), bank)
const now = Math.floor(Date.now() / SECOND)

const alignment: Case[] = [
  proven('signed by the envelope sender and From', signMessage(MAIL, bank)),
  proven('signed by From, sent by a provider', signMessage(MAIL, bank), 'bank.example', {
    envelopeDomain: 'bounces.esp.example',
  }),
  proven('signed by From, with no envelope domain', signMessage(MAIL, bank), 'bank.example', {
    envelopeDomain: undefined,
  }),
  proven(
    'signed by the envelope sender, with another From',
    signMessage(mail({ From: 'x@other.example' }), bank),
  ),
  proven(
    'signed by a name below the one of From',
    signMessage(MAIL, { domain: 'news.bank.example' }),
    'news.bank.example',
  ),
  proven(
    'signed by a name above the one of the envelope sender',
    signMessage(mail({ From: 'x@other.example' }), { domain: 'bank.co.uk' }),
    'bank.co.uk',
    { envelopeDomain: 'mail.bank.co.uk' },
  ),
  not('not aligned', 'signed by a provider alone', signMessage(MAIL, { domain: 'esp.example' })),
  not(
    'not aligned',
    'signed by a neighbour below one public suffix',
    signMessage(mail({ From: 'x@bank.co.uk' }), { domain: 'evil.co.uk' }),
    { envelopeDomain: 'bank.co.uk' },
  ),
  not(
    'not aligned',
    'signed by a public suffix',
    signMessage(mail({ From: 'x@bank.co.uk' }), { domain: 'co.uk' }),
    { envelopeDomain: 'bank.co.uk' },
  ),
  not(
    'not aligned',
    'signed by a private public suffix',
    signMessage(mail({ From: 'x@alice.github.io' }), { domain: 'github.io' }),
    { envelopeDomain: 'alice.github.io' },
  ),
  not(
    'not aligned',
    'signed by another customer below a private suffix',
    signMessage(mail({ From: 'x@bob.github.io' }), { domain: 'alice.github.io' }),
    { envelopeDomain: 'bob.github.io' },
  ),
  proven(
    'signed by the very customer below a private suffix',
    signMessage(mail({ From: 'x@alice.github.io' }), { domain: 'alice.github.io' }),
    'alice.github.io',
  ),
  not(
    'not aligned',
    'a From that only looks aligned: the name shown is not an address',
    signMessage(mail({ From: '"x@bank.example" <y@other.example>' }), bank),
    { envelopeDomain: undefined },
  ),
  not(
    'not aligned',
    'several addresses in From, the envelope sender is another',
    signMessage(mail({ From: 'a@bank.example, b@bank.example' }), bank),
    { envelopeDomain: 'esp.example' },
  ),
  proven(
    'several addresses in From, signed by the envelope sender',
    signMessage(mail({ From: 'a@bank.example, b@other.example' }), bank),
  ),
  not(
    'no single from',
    'two From fields',
    signMessage(mail({ From: ['a@bank.example', 'b@bank.example'] }), bank),
  ),
  not(
    'no single from',
    'a From added on top after signing',
    onTop('From: x@other.example', signMessage(MAIL, bank)),
  ),
  not('no single from', 'no From at all', signMessage(mail({ From: undefined }), bank)),
]

const recipients: Case[] = [
  proven(
    'Cc names the tenant',
    signMessage(mail({ To: 'x@other.example', Cc: 'p@school.example' }), bank),
  ),
  proven('in another case', to('Pupil@SCHOOL.Example')),
  proven('among others', to('a@other.example, "Doe, John" <p@school.example>, c@other.example')),
  proven('folded', to('a@other.example,\r\n\tPupil <p@school.example>')),
  proven('in a group', to('class: a@other.example, p@school.example;')),
  proven('with comments', to('(form 4b) p@school.example (the (old) one)')),
  proven('with a quoted local part', to('"john doe"@school.example')),
  proven('with an encoded name', to('=?utf-8?q?J=C3=BCrgen?= <p@school.example>')),
  proven('as U-labels', to('p@schöl.example')),
  not('not addressed to the tenant', 'to another recipient', to('p@other.example')),
  not('not addressed to the tenant', 'below the accepted domain', to('p@mail.school.example')),
  not('not addressed to the tenant', 'to undisclosed recipients', to('undisclosed-recipients:;')),
  not(
    'not addressed to the tenant',
    'without To and Cc',
    signMessage(mail({ To: undefined }), bank),
  ),
  not(
    'not addressed to the tenant',
    'the tenant is in the name only',
    to('"p@school.example" <x@other.example>'),
  ),
  not(
    'not addressed to the tenant',
    'the tenant is in a comment only',
    to('x@other.example (p@school.example)'),
  ),
  not(
    'not addressed to the tenant',
    'the tenant is in the local part only',
    to('"p@school.example"@other.example'),
  ),
  not(
    'not addressed to the tenant',
    'the tenant is in an encoded word',
    to('=?utf-8?q?p=40school.example?='),
  ),
  not(
    'not addressed to the tenant',
    'it can be read in two ways',
    to('<p@school.example> <x@other.example>'),
  ),
  not(
    'not addressed to the tenant',
    'the tenant is in Bcc, Resent-To and Reply-To only',
    signMessage(
      mail({
        To: 'x@other.example',
        Bcc: 'p@school.example',
        'Resent-To': 'p@school.example',
        'Reply-To': 'p@school.example',
      }),
      { ...bank, headers: ['from', 'to', 'bcc', 'resent-to', 'reply-to'] },
    ),
  ),
  not(
    'not addressed to the tenant',
    'To is not signed',
    signMessage(MAIL, { ...bank, headers: ['from', 'subject'] }),
  ),
  not(
    'not addressed to the tenant',
    'a To added on top after signing',
    onTop('To: p@school.example', to('x@other.example')),
  ),
  proven(
    'a To of another domain added on top after signing',
    onTop('To: x@other.example', to('p@school.example')),
  ),
  not(
    'not addressed to the tenant',
    'a Cc added where h= names none twice',
    onTop(
      'Cc: p@school.example',
      signMessage(mail({ To: 'x@other.example', Cc: 'y@other.example' }), bank),
    ),
  ),
  proven(
    'the upper one of two signed To fields',
    signMessage(mail({ To: ['p@school.example', 'x@other.example'] }), {
      ...bank,
      headers: ['from', 'to', 'to'],
    }),
  ),
  not(
    'not addressed to the tenant',
    'the upper one of two To fields, of which one is signed',
    to('p@school.example', 'x@other.example'),
  ),
  proven(
    'oversigned',
    signMessage(MAIL, { ...bank, headers: ['from', 'to', 'to', 'cc', 'cc', 'from'] }),
  ),
  not(
    'signature wrong',
    'a To added to an oversigned message',
    onTop(
      'To: p@school.example',
      signMessage(mail({ To: 'x@other.example' }), { ...bank, headers: ['from', 'to', 'to'] }),
    ),
  ),
]

const integrity: Case[] = [
  not('unsigned', 'no signature', MAIL),
  not('body changed', 'a changed body', signMessage(MAIL, bank).replace('ready', 'due')),
  not('body changed', 'text behind the body', `${signMessage(MAIL, bank)}Buy this.\r\n`),
  not(
    'signature wrong',
    'a changed subject',
    signMessage(MAIL, bank).replace('Subject: S', 'Subject: My s'),
  ),
  not('signature wrong', 'a changed To', to('x@other.example').replace('x@other', 'p@school')),
  not(
    'signature wrong',
    'the signature of another message',
    onTop(signMessage(MAIL, bank).split('\r\n', 1)[0]!, mail({ Subject: 'Other' })),
  ),
  proven(
    'white space changed, relaxed',
    signMessage(MAIL, bank)
      .replace('statement  is', 'statement \t is \t')
      .replace('Subject: ', 'subject :   '),
  ),
  proven('empty lines behind the body, relaxed', `${signMessage(MAIL, bank)}\r\n \t\r\n\r\n`),
  proven('simple', signMessage(MAIL, { ...bank, canonicalization: 'simple/simple' })),
  proven(
    'simple by default',
    signMessage(MAIL, { ...bank, canonicalization: 'simple', tags: { c: undefined } }),
  ),
  not(
    'body changed',
    'white space changed, simple',
    signMessage(MAIL, { ...bank, canonicalization: 'simple/simple' }).replace(
      'statement  is',
      'statement is',
    ),
  ),
  proven(
    'relaxed header, simple body',
    signMessage(MAIL, { ...bank, canonicalization: 'relaxed/simple' }),
  ),
  proven('no body', signMessage(mail({ body: '' }), bank)),
  proven('a body without an end of line', signMessage(mail({ body: 'x \t' }), bank)),
  proven('ends of lines without CR', signMessage(MAIL, bank).replaceAll('\r\n', '\n')),
  proven('a CR alone in the body', signMessage(mail({ body: 'a\rb \rc\r\n' }), bank)),
  not('body length limited', 'l=', signMessage(MAIL, { ...bank, tags: { l: '10' } })),
  not(
    'body length limited',
    'l= of all of the body',
    signMessage(MAIL, { ...bank, tags: { l: '47' } }),
  ),
  not('body length limited', 'l=0', signMessage(MAIL, { ...bank, tags: { l: '0' } })),
  not('expired', 'x= is over', tagged({ t: `${now - 7200}`, x: `${now - 3600}` })),
  proven('x= is to come', tagged({ t: `${now - 60}`, x: `${now + 3600}` })),
  not('weak algorithm', 'SHA-1', tagged({ a: 'rsa-sha1' })),
  not('weak algorithm', 'an unknown algorithm', tagged({ a: 'x-sha256' })),
]

const form: Case[] = [
  not('malformed', 'v=2', tagged({ v: '2' })),
  not('malformed', 'without v=', tagged({ v: undefined })),
  not('malformed', 'without h=', signMessage(MAIL, { ...bank, headers: [] })),
  not(
    'malformed',
    'From is not signed',
    signMessage(MAIL, { ...bank, headers: ['to', 'subject'] }),
  ),
  not('malformed', 'x= before t=', tagged({ t: `${now + 7200}`, x: `${now + 3600}` })),
  not('malformed', 'x= is no number', tagged({ x: 'never' })),
  not('malformed', 'i= of another domain', tagged({ i: '@other.example' })),
  not('malformed', 'i= only ends like d=', tagged({ i: '@mybank.example' })),
  proven('i= below d=', tagged({ i: 'x@news.bank.example' })),
  proven('q=dns/txt', tagged({ q: 'dns/txt' })),
  not('malformed', 'another q=', tagged({ q: 'http' })),
  not(
    'malformed',
    'd= twice',
    signMessage(MAIL, bank).replace('d=bank', 'd=other.example; d=bank'),
  ),
  not(
    'malformed',
    'D= and d=',
    signMessage(MAIL, bank).replace('d=bank', 'D=other.example; d=bank'),
  ),
  not('malformed', 'a comment, which mailauth would drop', tagged({ d: 'bank.example(x)' })),
  not('malformed', 'quotes, which mailauth would take for some', tagged({ z: 'Subject:"x' })),
  not('malformed', 'b= is not Base64', signMessage(MAIL, bank).replace('; b=', '; b=*')),
  not('malformed', 'an empty tag', signMessage(MAIL, bank).replace('v=1', 'v=1; ')),
  not('malformed', 'an unknown canonicalization', tagged({ c: 'loose' })),
  not('malformed', 'a signature field of 9 KB', tagged({ z: 'x'.repeat(9000) })),
  proven('an unknown tag', tagged({ z: 'Subject:x' })),
]

const keys: Case[] = [
  proven('Ed25519', signMessage(MAIL, { ...at('ed'), type: 'ed25519' })),
  proven('RSA of 1024 bits', signMessage(MAIL, { ...at('r1024'), bits: 1024 })),
  not('unsuitable key', 'RSA of 768 bits', signMessage(MAIL, { ...at('r768'), bits: 768 })),
  not('signature wrong', 'RSA of 4096 bits is verified', signMessage(MAIL, at('r4096'))),
  not('unsuitable key', 'RSA of 4224 bits', signMessage(MAIL, at('r4224'))),
  not('unsuitable key', 'RSA of 16384 bits', signMessage(MAIL, at('r16384'))),
  not('unsuitable key', 'an exponent of 2040 bits', signMessage(MAIL, at('exponent'))),
  not('key in test mode', 't=y', signMessage(MAIL, at('testing'))),
  proven(
    't=s and i= of d= itself',
    signMessage(MAIL, { ...at('strict'), tags: { i: 'x@bank.example' } }),
  ),
  not(
    'unsuitable key',
    't=s and i= below d=',
    signMessage(MAIL, { ...at('strict'), tags: { i: 'x@news.bank.example' } }),
  ),
  not('unsuitable key', 'revoked', signMessage(MAIL, at('revoked'))),
  not('unsuitable key', 'no key in p=', signMessage(MAIL, at('garbage'))),
  not('unsuitable key', 'k= says another kind', signMessage(MAIL, at('otherkind'))),
  not(
    'unsuitable key',
    'the key is of another kind than a=',
    signMessage(MAIL, { ...at('ed'), type: 'rsa' }),
  ),
  not('unsuitable key', 'an unknown kind', signMessage(MAIL, at('unknownkind'))),
  not('unsuitable key', 'another version', signMessage(MAIL, at('version'))),
  not('unsuitable key', 'for SHA-1 alone', signMessage(MAIL, at('sha1'))),
  proven('for SHA-256 too, and for mail', signMessage(MAIL, at('sha'))),
  proven('with nothing but p=', signMessage(MAIL, at('s2'))),
  not('unsuitable key', 'for another service', signMessage(MAIL, at('service'))),
  not('unsuitable key', 'a record of 60 KB', signMessage(MAIL, at('huge'))),
  not('no key', 'two records', signMessage(MAIL, at('two'))),
  not('no key', 'no such name', signMessage(MAIL, at('nowhere'))),
  not('no key', 'no TXT', signMessage(MAIL, at('address'))),
  not('dns failure', 'SERVFAIL', signMessage(MAIL, at('fail'))),
  not('dns failure', 'DNS that never answers', signMessage(MAIL, at('silent')), { dnsTimeout: 50 }),
]

const groups = { alignment, recipients, integrity, form, keys }
for (const [group, cases] of Object.entries(groups)) {
  describe(`a DKIM signature as proof: ${group}`, { concurrency: 8 }, () => {
    for (const { name, message, expected, asked } of cases) {
      it(`${expected}: ${name}`, async () => {
        const { result } = await ask(message, asked)
        const proof = result.kind === 'none' ? result.reason : `${result.kind} ${result.domain}`
        assert.equal(proof, expected)
        assert.equal(
          result.kind !== 'none' && result.signatures.length,
          result.kind === 'none' ? false : 1,
        )
      })
    }
  })
}

describe('the signatures of a proof', () => {
  const signaturesOf = async (message: string): Promise<readonly string[]> => {
    const { result } = await ask(message)
    return result.kind === 'none' ? [] : result.signatures
  }
  const both = signMessage(signMessage(MAIL, bank), { ...at('ed'), type: 'ed25519' })
  const [upper = '', ...rest] = both.split('\r\n')

  it('are all that prove it, so that removing one does not make another message', async () => {
    const all = await signaturesOf(both)
    assert.equal(all.length, 2)
    const lowerOnly = await signaturesOf(rest.join('\r\n'))
    const upperOnly = await signaturesOf([upper, ...rest.slice(1)].join('\r\n'))
    assert.deepEqual([...upperOnly, ...lowerOnly], all)
    assert.match(all[0]!, /^[\da-f]{32}$/)
  })

  it('are the same in any spelling', async () => {
    const signed = signMessage(MAIL, bank)
    const [whole] = await signaturesOf(signed)
    const folded = signed.replace(/b=([A-Za-z0-9+/]{40})([A-Za-z0-9+/]{40})/, 'b=\r\n $1\r\n\t $2 ')
    assert.notEqual(folded, signed)
    assert.deepEqual(await signaturesOf(folded), [whole])
  })

  it('are counted once where one is repeated', async () => {
    const signed = signMessage(MAIL, bank)
    const twice = onTop(signed.split('\r\n', 1)[0]!, signed)
    assert.equal((await signaturesOf(twice)).length, 1)
  })

  it('leave out those that prove nothing or are not checked', async () => {
    const limited = signMessage(signMessage(MAIL, bank), {
      ...at('ed'),
      type: 'ed25519',
      tags: { l: '5' },
    })
    const { result, findings } = await ask(limited)
    assert.equal(result.kind === 'dkim' && result.signatures.length, 1)
    assert.deepEqual(
      findings.map(({ selector, reason }) => [selector, reason]),
      [
        ['ed', 'body length limited'],
        ['s1', undefined],
      ],
    )
  })

  it('do not count for a field with the same signature that covers less or more', async () => {
    // The genuine one covers no To. Its copy claims to.
    const genuine = signMessage(MAIL, { ...bank, headers: ['from', 'subject'] })
    const copy = genuine.split('\r\n', 1)[0]!.replace('h=from:subject', 'h=from:subject:to')
    for (const message of [onTop(copy, genuine), genuine.replace('\r\n', `\r\n${copy}\r\n`)]) {
      const { result } = await ask(message)
      assert.deepEqual(result, { kind: 'none', reason: 'signature wrong' })
    }
  })

  it('report the one that failed last', async () => {
    const message = signMessage(signMessage(MAIL, { domain: 'esp.example' }), at('testing'))
    const { result } = await ask(message)
    assert.deepEqual(result, { kind: 'none', reason: 'key in test mode' })
  })
})

describe('the example of RFC 8463', () => {
  const KEYS = {
    brisbane: 'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
    test: 'v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB',
  }
  const zones = Object.entries(KEYS).map(([selector, text]): [string, Zone] => [
    `${selector}._domainkey.football.example.com`,
    { txt: [text] },
  ])
  useDns(Object.fromEntries(zones))

  it('is proven by both of its signatures', async () => {
    const message = `DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
`
    const { result } = await ask(message, {
      isAccepted: (domain) => domain === 'shopping.example.net',
    })
    assert.equal(result.kind === 'dkim' && result.signatures.length, 2)
  })
})

describe('DNS of a message', () => {
  it('is asked once for each name, and not for signatures that are ruled out', async () => {
    let message = signMessage(signMessage(MAIL, bank), bank)
    message = signMessage(message, { domain: 'esp.example' })
    message = signMessage(message, { ...at('unasked'), tags: { l: '1' } })
    const before = dns().asked.length
    await ask(message)
    assert.deepEqual(dns().asked.slice(before), ['TXT s1._domainkey.bank.example'])
  })
})
