import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { saysPass } from '../../../src/message/proof/authentication-results'
import { keyZones, sealMessage, signer, signMessage, type SealOptions } from '../../support/signed'
import { ask, mail, MAIL, onTop, useDns } from './asking'

const PASS = 'mx.mailbox.example; dkim=pass header.d=bank.example'
const trusted: SealOptions = { domain: 'mailbox.example', results: PASS }
const other: SealOptions = { domain: 'list.example', results: 'mx.list.example; dkim=none' }

const domains = ['mailbox.example', 'sub.mailbox.example', 'list.example', 'bank.example']
useDns(keyZones(domains.map((domain) => signer({ domain }))))

/** The message with sets of these sealers, one after the other. */
async function sealed(message: string, ...sealers: readonly SealOptions[]): Promise<string> {
  let result = message
  for (const sealer of sealers) result = await sealMessage(result, sealer)
  return result
}

const times = (count: number, sealer: SealOptions): SealOptions[] =>
  Array.from({ length: count }, () => sealer)

/** The proof of a message: its domain, or the reason that there is none. */
async function proofOf(message: string): Promise<string> {
  const { result } = await ask(message)
  return result.kind === 'none' ? result.reason : `${result.kind} ${result.domain}`
}

/** Removes the set of one instance, or one of its fields. */
function without(message: string, pattern: RegExp): string {
  const fields = message.split(/\r\n(?![ \t])/)
  return fields.filter((field) => !pattern.test(field)).join('\r\n')
}

describe('an ARC chain as proof', { concurrency: 8 }, () => {
  const cases: readonly (readonly [string, string, () => string | Promise<string>])[] = [
    ['arc mailbox.example', 'one set of a trusted sealer', () => sealed(MAIL, trusted)],
    [
      'arc mailbox.example',
      'the message is not addressed to the tenant: the sealer received it',
      () => sealed(mail({ To: 'list@list.example' }), trusted),
    ],
    ['arc mailbox.example', 'the last of three', () => sealed(MAIL, other, other, trusted)],
    ['arc mailbox.example', 'twenty sets', () => sealed(MAIL, ...times(20, trusted))],
    [
      'arc mailbox.example',
      'a DKIM signature that is broken since, and sealed',
      async () => {
        const changed = signMessage(MAIL, { domain: 'bank.example' }).replace('ready', 'due')
        return sealed(changed, { ...trusted, headers: ['DKIM-Signature', 'From', 'To'] })
      },
    ],
    [
      'sealer not trusted',
      'another sealer',
      () => sealed(MAIL, { ...trusted, domain: 'list.example' }),
    ],
    [
      'sealer not trusted',
      'a name below the trusted one',
      () => sealed(MAIL, { ...trusted, domain: 'sub.mailbox.example' }),
    ],
    ['sealer not trusted', 'the trusted one is not the last', () => sealed(MAIL, trusted, other)],
    [
      'no pass sealed',
      'no pass',
      () => sealed(MAIL, { ...trusted, results: 'mx.mailbox.example; none' }),
    ],
    [
      'no pass sealed',
      'a pass in an earlier set only',
      () => sealed(MAIL, trusted, { ...trusted, results: 'mx.mailbox.example; dkim=fail' }),
    ],
    [
      'no pass sealed',
      'a pass in an Authentication-Results field only',
      async () =>
        onTop(
          `Authentication-Results: ${PASS}`,
          await sealed(MAIL, { ...trusted, results: 'mx.mailbox.example; none' }),
        ),
    ],
    [
      'no pass sealed',
      'a pass for a domain that is not the one of From',
      () => sealed(mail({ From: 'x@other.example' }), trusted),
    ],
    [
      'no pass sealed',
      'several addresses in From',
      () => sealed(mail({ From: 'x@bank.example, y@bank.example' }), trusted),
    ],
    [
      'body changed',
      'the body was changed',
      async () => (await sealed(MAIL, trusted)).replace('ready', 'due'),
    ],
    [
      'chain broken',
      'From was changed',
      async () => (await sealed(MAIL, trusted)).replace('The Bank <', 'The Boss <'),
    ],
    [
      'chain broken',
      'the sealed results were changed',
      async () =>
        (
          await sealed(MAIL, {
            ...trusted,
            results: 'mx.mailbox.example; dkim=fail header.d=bank.example',
          })
        ).replace('dkim=fail', 'dkim=pass'),
    ],
    [
      'chain broken',
      'an earlier set was changed',
      async () => (await sealed(MAIL, other, trusted)).replace('dkim=none', 'dkim=pass'),
    ],
    [
      'malformed',
      'From is not signed',
      () => sealed(MAIL, { ...trusted, headers: ['To', 'Subject'] }),
    ],
    [
      'body length limited',
      'l=',
      async () => (await sealed(MAIL, trusted)).replace('Signature: i=1;', 'Signature: i=1; l=5;'),
    ],
    ['malformed', 'the first seal says cv=pass', () => sealed(MAIL, { ...trusted, cv: 'pass' })],
    ['malformed', 'cv=fail', () => sealed(MAIL, other, { ...trusted, cv: 'fail' })],
    ['malformed', 'cv=PASS', () => sealed(MAIL, other, { ...trusted, cv: 'PASS' })],
    [
      'malformed',
      'no first set',
      async () => without(await sealed(MAIL, other, trusted), /^ARC-.*: i=1;/),
    ],
    [
      'malformed',
      'no results',
      async () => without(await sealed(MAIL, trusted), /^ARC-Authentication-Results/),
    ],
    [
      'malformed',
      'results twice',
      async () => onTop(`ARC-Authentication-Results: i=1; ${PASS}`, await sealed(MAIL, trusted)),
    ],
    ['malformed', 'no seal', async () => without(await sealed(MAIL, trusted), /^ARC-Seal/)],
    [
      'malformed',
      'an instance that mailauth alone understands',
      async () => (await sealed(MAIL, trusted)).replaceAll(': i=1;', ': i=0x1;'),
    ],
    ['too many seals', '21 sets', () => sealed(MAIL, ...times(21, trusted))],
    ['too many seals', '50 sets', () => sealed(MAIL, ...times(50, trusted))],
    ['too many seals', '51 sets', () => sealed(MAIL, ...times(51, trusted))],
    [
      'no key',
      'a seal whose key is gone',
      () => sealed(MAIL, { ...other, selector: 'gone' }, trusted),
    ],
  ]
  for (const [expected, name, message] of cases) {
    it(`${expected}: ${name}`, async () => {
      assert.equal(await proofOf(await message()), expected)
    })
  }

  it('is identified by the octets of the last seal', async () => {
    const message = await sealed(MAIL, other, trusted)
    const { result } = await ask(message)
    assert.equal(result.kind === 'arc' && result.signatures.length, 1)
    const { result: again } = await ask(message.replace(/(ARC-Seal: i=2[^]*?b=....)/, '$1\r\n '))
    assert.deepEqual(again, result)
  })

  it('counts together with a DKIM signature, so that removing either does not make another message', async () => {
    const signed = signMessage(MAIL, { domain: 'bank.example' })
    const { result } = await ask(await sealed(signed, trusted))
    assert.equal(result.kind, 'dkim')
    assert.equal(result.kind === 'dkim' && result.signatures.length, 2)
  })
})

describe('sealed results', () => {
  const cases: readonly (readonly [boolean, string])[] = [
    [true, 'mx.example; dkim=pass header.d=bank.example'],
    [true, 'mx.example; dkim=pass header.d=news.bank.example'],
    [true, 'mx.example; dkim=pass header.i=@bank.example header.s=s1 header.b="ab/c="'],
    [true, 'mx.example; dkim=pass header.i="john doe"@bank.example'],
    [true, 'mx.example 1; DKIM = Pass (2048-bit; key) header.d = bank.example'],
    [true, 'mx.example;dkim=pass header.d=bank.example'],
    [true, 'mx.example; (good) dkim=pass header.d=bank.example'],
    [true, 'mx.example; dkim/1=pass reason="good; signature" header.d=bank.example'],
    [true, 'mx.example; dkim=fail header.d=x.example; dkim=pass header.d=BANK.example'],
    [true, 'mx.example; spf=pass smtp.mailfrom=x.example; dmarc=pass header.from=bank.example'],
    // As Exchange Online and Google write them.
    [
      true,
      'mx.microsoft.com 1; spf=pass (sender ip is 192.0.2.1) smtp.rcpttodomain=a.example smtp.mailfrom=bank.example; dmarc=pass (p=none sp=none pct=100) action=none header.from=bank.example; dkim=none (message not signed); arc=none (0)',
    ],
    [
      true,
      'mx.google.com;\r\n       dkim=pass header.i=@bank.example header.s=s1 header.b=kJ7abcde;\r\n       spf=pass (google.com: domain of x@bank.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=x@bank.example',
    ],
    [false, ''],
    [false, 'mx.example; none'],
    [false, 'dkim=pass header.d=bank.example'],
    [false, 'mx.example; dkim=fail header.d=bank.example'],
    [false, 'mx.example; dkim=pass'],
    [false, 'mx.example; dkim=pass header.d=other.example'],
    [false, 'mx.example; dkim=pass header.d=mybank.example'],
    [false, 'mx.example; dkim=pass header.d=other.example header.i=@bank.example'],
    [false, 'mx.example; dkim=pass header.d=bank.example header.d=other.example'],
    [false, 'mx.example; dkim=pass header.i="bank.example"@other.example'],
    [false, 'mx.example; dkim=pass policy.d=bank.example'],
    [false, 'mx.example; dmarc=pass header.from=news.bank.example'],
    [false, 'mx.example; dmarc=fail header.from=bank.example'],
    [false, 'mx.example; dmarc=pass header.from=bank.example; dmarc=fail header.from=bank.example'],
    [false, 'mx.example; spf=pass smtp.mailfrom=bank.example'],
    [false, 'mx.example; x-dkim=pass header.d=bank.example'],
    [false, ' mx; x dkim=pass header.d=bank.example'],
    [false, 'mx.example; "x" dkim=pass header.d=bank.example'],
    [false, 'mx.example; x (y) dmarc=pass header.from=bank.example'],
    [false, 'mx.example; spf=fail (; dkim=pass header.d=bank.example) smtp.mailfrom=x'],
    [false, 'mx.example; spf=fail (a (b) ; dkim=pass header.d=bank.example) smtp.mailfrom=x'],
    [false, 'mx.example; spf=fail smtp.mailfrom="x; dkim=pass header.d=bank.example"@y.example'],
    [false, 'mx.example; spf=fail smtp.mailfrom="x\\"; dkim=pass header.d=bank.example"'],
    [false, 'mx.example; dkim=pass header.d=bank.example (no end'],
    [false, 'mx.example; dkim=pass header.d=bank.example "no end'],
    [false, 'mx.example; dkim=pass header.d=bank.example) of a comment'],
    [false, `mx.example; dkim=pass header.d=bank.example;${' '.repeat(17_000)}`],
  ]
  for (const [passes, text] of cases) {
    it(`${passes ? 'say' : 'do not say'} pass: ${text.slice(0, 100)}`, () => {
      assert.equal(saysPass(text, 'bank.example'), passes)
    })
  }

  it('pass for no other name below a public suffix', () => {
    assert.equal(saysPass('mx.example; dkim=pass header.d=co.uk', 'bank.co.uk'), false)
    assert.equal(saysPass('mx.example; dkim=pass header.d=co.uk', 'co.uk'), false)
  })
})
