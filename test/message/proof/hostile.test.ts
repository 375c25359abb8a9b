import assert from 'node:assert/strict'
import { setMaxListeners } from 'node:events'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { waitFor } from '../../../scripts/services/wait-for'
import {
  BODIES_AT_ONCE,
  LOOKS_AT_ONCE,
  MAX_HEADER,
  MAX_HEADER_LINES,
  MAX_LINE,
  MAX_SEALS,
  MAX_SIGNATURES,
  MAX_SIZE,
} from '../../../src/message/proof/limits'
import type { Examination } from '../../../src/message/proof/prove'
import { keyZones, signer, signMessage } from '../../support/signed'
import { ask, mail, MAIL, onTop, useDns } from './asking'

const bank = { domain: 'bank.example' }
const silent = { ...bank, selector: 'silent' }
const SIGNED = signMessage(MAIL, bank)
const SIGNATURE = SIGNED.split('\r\n', 1)[0]!

const dns = useDns({
  ...keyZones([signer(bank)]),
  'silent._domainkey.bank.example': { trouble: 'silent' },
})

/** A message in pieces, endless unless an end is given. */
function pieces(...all: readonly (string | Buffer)[]): Readable {
  return Readable.from(all.map((piece) => Buffer.from(piece)))
}

/** Asks for this many messages at once, each of another tenant. */
function ofTenants(count: number, message: () => Readable): Promise<Examination>[] {
  return Array.from({ length: count }, (_, at) => ask(message(), { tenant: `school-${at}` }))
}

function refused(name: string, reason: string, message: () => string | Readable): void {
  it(`is not examined: ${name}`, async () => {
    const before = dns().asked.length
    const { result, findings } = await ask(message())
    assert.deepEqual(result, { kind: 'none', reason })
    assert.deepEqual(findings, [])
    assert.equal(dns().asked.length, before)
  })
}

describe('a message made to be expensive', () => {
  refused('a thousand signatures', 'too many signatures', () => {
    // As long as Haraka allows a header: a line each.
    const many = Array.from({ length: 990 }, () => 'DKIM-Signature: v=1; a=rsa-sha256; b=AAAA')
    return onTop(many.join('\r\n'), MAIL)
  })
  refused('one signature too many', 'too many signatures', () =>
    onTop(Array.from({ length: MAX_SIGNATURES }, () => SIGNATURE).join('\r\n'), SIGNED),
  )
  refused('a hundred thousand fields', 'header unreadable', () =>
    onTop('X: y\r\n'.repeat(100_000) + 'X: y', SIGNED),
  )
  refused('one line of the header too many', 'header unreadable', () =>
    onTop('X: y\r\n'.repeat(MAX_HEADER_LINES) + 'X: y', SIGNED),
  )
  refused('megabytes in one folded field', 'header unreadable', () =>
    onTop(`X: ${'y'.repeat(70)}\r\n ${'y'.repeat(70)}`.repeat(50_000), SIGNED),
  )
  refused('a field of one line without an end', 'line too long', () =>
    onTop(`X: ${'y'.repeat(5_000_000)}`, SIGNED),
  )
  refused('a header that is a little too long', 'header unreadable', () =>
    onTop(`X: ${`${'y'.repeat(1000)}\r\n `.repeat(MAX_HEADER / 1000)}y`, SIGNED),
  )
  refused(
    'a header without an end',
    'header unreadable',
    () => 'From: x@bank.example\r\nTo: p@school.example\r\n',
  )
  refused('nothing', 'header unreadable', () => '')
  refused('no header', 'no single from', () => '\r\nThe body\r\n')
  refused(
    'CRs in the header, which a parser of mailauth takes long over',
    'header unreadable',
    () => onTop(`X: ${'\r'.repeat(50_000)}y`, SIGNED),
  )
  refused('a NUL in the header', 'header unreadable', () => onTop('X: \0', SIGNED))

  it('is not examined: larger than the limit by its announced size', async () => {
    const { result } = await ask(SIGNED, { size: MAX_SIZE + 1 })
    assert.deepEqual(result, { kind: 'none', reason: 'too large' })
  })

  it('is read only up to the limit, for any announced size', async () => {
    const block = Buffer.from(`${'x'.repeat(998)}\r\n`.repeat(64))
    let given = 0
    function* endless(): Generator<Buffer> {
      yield Buffer.from(SIGNED)
      for (;;) {
        given += block.length
        yield block
      }
    }
    const message = Readable.from(endless())
    const { result } = await ask(message)
    assert.deepEqual(result, { kind: 'none', reason: 'too large' })
    assert.ok(given < MAX_SIZE + 2_000_000, String(given))
    assert.ok(message.destroyed)
  })

  it('is not read on after a line without an end', async () => {
    const { result } = await ask(`${SIGNED}${'x'.repeat(MAX_LINE + 1)}`)
    assert.deepEqual(result, { kind: 'none', reason: 'line too long' })
  })

  it('has ten signatures checked, of which one counts', async () => {
    const others = Array.from({ length: MAX_SIGNATURES - 1 }, (_, i) =>
      SIGNATURE.replace('s=s1', `s=s${i + 2}`),
    )
    const before = dns().asked.length
    const { result, findings } = await ask(onTop(others.join('\r\n'), SIGNED))
    assert.equal(result.kind, 'dkim')
    assert.equal(findings.length, MAX_SIGNATURES)
    assert.equal(dns().asked.length - before, MAX_SIGNATURES)
  })

  it('has h= of thousands of names', async () => {
    const long = SIGNATURE.replace('h=from', `h=${'x:'.repeat(300)}from`)
    const { findings } = await ask(onTop(long, MAIL))
    assert.deepEqual(
      findings.map(({ reason }) => reason),
      ['malformed'],
    )
  })

  it('has a field of From or To as long as a header may be', async () => {
    const addresses = Array.from({ length: 4000 }, (_, i) => `"x${i}" <x${i}@other.example>`).join(
      ',\r\n ',
    )
    assert.ok(addresses.length > 100_000)
    const toMany = await ask(signMessage(mail({ To: `${addresses}, p@school.example` }), bank))
    assert.deepEqual(toMany.result, { kind: 'none', reason: 'header unreadable' })
    const many = addresses.slice(0, 50_000)
    const few = await ask(signMessage(mail({ To: `${many}, p@school.example` }), bank))
    assert.deepEqual(few.result, { kind: 'none', reason: 'not addressed to the tenant' })
  })

  it('has a From that mailauth alone would take a minute for', async () => {
    const groups = `${':;'.repeat(400)}\r\n `.repeat(280)
    assert.ok(groups.length > 200_000)
    const { result } = await ask(signMessage(mail({ From: `${groups}x@bank.example` }), bank))
    assert.equal(result.kind, 'dkim')
  })

  it('has more fields of To than are read, which ten signatures cover', async () => {
    const to = `${'x@other.example, '.repeat(50)}\r\n `.repeat(35)
    const message = mail({ To: Array.from({ length: 6 }, () => `${to}y@other.example`) })
    const signed = signMessage(message, {
      ...bank,
      headers: ['from', ...Array<string>(6).fill('to')],
    })
    const signature = signed.slice(0, -message.length)
    let looked = 0
    const isAccepted = (): boolean => ++looked < 0
    const { findings } = await ask(signature.repeat(MAX_SIGNATURES - 1) + signed, { isAccepted })
    assert.equal(findings.length, MAX_SIGNATURES)
    assert.equal(looked, 35 * 50 + 1)
  })

  it('asks DNS for at most as many names as a chain may have, and only where the last sealer is trusted', async () => {
    const set = (i: number, domain: string): string =>
      [
        `ARC-Seal: i=${i}; a=rsa-sha256; cv=${i === 1 ? 'none' : 'pass'}; d=${domain}; s=s${i}; b=AAAA`,
        `ARC-Message-Signature: i=${i}; a=rsa-sha256; c=relaxed/relaxed; d=${domain}; s=m${i}; h=from:to; bh=AAAA; b=AAAA`,
        `ARC-Authentication-Results: i=${i}; mx; dkim=pass header.d=bank.example`,
      ].join('\r\n')
    const chain = (domain: string): string =>
      Array.from({ length: MAX_SEALS }, (_, i) => set(i + 1, domain)).join('\r\n')
    const before = dns().asked.length
    await ask(onTop(chain('list.example'), MAIL))
    assert.equal(dns().asked.length, before)
    const { result } = await ask(onTop(chain('mailbox.example'), MAIL))
    assert.deepEqual(result, { kind: 'none', reason: 'no key' })
    // Each seal, and the newest ARC-Message-Signature.
    assert.equal(dns().asked.length - before, MAX_SEALS + 1)
  })

  it('comes in a burst of large ones, which are read a few at a time and still proven', async () => {
    let open = 0
    let most = 0
    const octets = Buffer.from(signMessage(MAIL, bank))
    const end = octets.indexOf('\r\n\r\n') + 4
    async function* message(): AsyncGenerator<Buffer> {
      yield octets.subarray(0, end)
      // A stream reads a little ahead.
      for (let at = end; at < end + 4; at++) yield octets.subarray(at, at + 1)
      most = Math.max(most, ++open)
      for (let i = 0; i < 20; i++) await nextTurn()
      open--
      yield octets.subarray(end + 4)
    }
    const all = ofTenants(5 * BODIES_AT_ONCE, () => Readable.from(message()))
    const kinds = (await Promise.all(all)).map(({ result }) => result.kind)
    assert.deepEqual(new Set(kinds), new Set(['dkim']))
    assert.equal(most, BODIES_AT_ONCE)
  })

  it('comes in a burst of many, whose headers are read a few dozen at a time', async () => {
    let open = 0
    let most = 0
    async function* message(): AsyncGenerator<Buffer> {
      most = Math.max(most, ++open)
      for (let i = 0; i < 20; i++) await nextTurn()
      open--
      yield Buffer.from(MAIL)
    }
    const all = ofTenants(5 * LOOKS_AT_ONCE, () => Readable.from(message()))
    const results = (await Promise.all(all)).map(({ result }) => result)
    for (const result of results) assert.deepEqual(result, { kind: 'none', reason: 'unsigned' })
    assert.equal(most, LOOKS_AT_ONCE)
  })

  it('has a body of white space and short lines that mailauth alone would take a gigabyte for', async () => {
    // Empty lines at the end do not count, so signing needs none of them.
    const message = `${signMessage(mail({ body: 'x\r\n' }), bank)}${' \t\r\n'.repeat(1_500_000)}`
    const before = process.memoryUsage().rss
    const { result } = await ask(message)
    assert.equal(result.kind, 'dkim')
    assert.ok(process.memoryUsage().rss - before < 200e6)
  })
})

describe('a tenant whose keys DNS never gives', () => {
  const LONG = 600_000

  /** More messages than there are places: each waits for DNS or a place until it is given up. */
  async function hang(tenant: string) {
    const leaving = new AbortController()
    const { signal } = leaving
    setMaxListeners(0, signal)
    const before = dns().asked.length
    let answered = 0
    const all = Array.from({ length: 2 * LOOKS_AT_ONCE }, async (_, at) => {
      const text = onTop(`X-N: ${at}`, signMessage(MAIL, silent))
      const patience = { turnLimit: LONG, timeLimit: LONG, dnsTimeout: LONG }
      const { result } = await ask(text, { tenant, signal, ...patience })
      answered++
      return result
    })
    await waitFor(() => dns().asked.length > before)
    return {
      answered: () => answered,
      leave: () => {
        leaving.abort()
        return Promise.all(all)
      },
    }
  }

  it('does not delay others, whose forwards are proven meanwhile', async () => {
    const hangs = [await hang('hog'), await hang('boar')]
    const proven = await Promise.all([ask(SIGNED), ask(SIGNED, { tenant: 'college' })])
    for (const { result } of proven) assert.equal(result.kind, 'dkim')
    for (const { answered } of hangs) assert.equal(answered(), 0)
    for (const { leave } of hangs) await leave()
  })

  it('has its places again as soon as its clients leave, at any stage', async () => {
    const { leave } = await hang('school')
    for (const result of await leave()) assert.equal(result.kind, 'none')
    const { result } = await ask(SIGNED, { turnLimit: 1 })
    assert.equal(result.kind, 'dkim')
  })

  it('gets no turn for what waits too long, which is not a missing proof', async () => {
    const { leave } = await hang('school')
    const { result } = await ask(SIGNED, { turnLimit: 1 })
    assert.deepEqual(result, { kind: 'none', reason: 'no turn' })
    await leave()
  })

  it('stops reading a message whose client leaves, and reads the next one at once', async () => {
    const leaving = new AbortController()
    setMaxListeners(0, leaving.signal)
    const bodies = Array.from({ length: 2 * BODIES_AT_ONCE }, () => {
      const message = new Readable({ read() {} })
      message.push(SIGNED)
      return { message, asked: ask(message, { signal: leaving.signal }) }
    })
    // The key arrives, and the body is endless.
    await waitFor(() => bodies.filter(({ message }) => message.readableLength === 0).length > 0)
    leaving.abort()
    for (const { message, asked } of bodies) {
      assert.equal((await asked).result.kind, 'none')
      assert.ok(message.destroyed)
    }
    assert.equal((await ask(SIGNED, { turnLimit: 1 })).result.kind, 'dkim')
  })
})

describe('a message that does not arrive', () => {
  it('is given up at the time limit', async () => {
    const message = new Readable({ read() {} })
    message.push(SIGNED.slice(0, 100))
    const { result } = await ask(message, { timeLimit: 50 })
    assert.deepEqual(result, { kind: 'none', reason: 'out of time' })
    assert.ok(message.destroyed)
  })

  it('is given up at the time limit while DNS hangs', async () => {
    const { result } = await ask(signMessage(MAIL, silent), { timeLimit: 50 })
    assert.deepEqual(result, { kind: 'none', reason: 'out of time' })
  })

  it('has no proof if it cannot be read', async () => {
    const message = new Readable({ read() {} })
    message.push(SIGNED)
    setImmediate(() => message.destroy(new Error('EIO: the spool file is gone')))
    const { result } = await ask(message)
    assert.deepEqual(result, {
      kind: 'none',
      reason: 'failed',
      detail: 'EIO: the spool file is gone',
    })
  })

  it('has no proof if it broke off before the check', async () => {
    const message = pieces(SIGNED)
    message.destroy()
    const { result } = await ask(message)
    assert.equal(result.kind === 'none' && result.reason, 'failed')
  })

  it('has no proof if the directory fails', async () => {
    const { result } = await ask(SIGNED, {
      isAccepted: () => {
        throw new Error('no directory')
      },
    })
    assert.deepEqual(result, { kind: 'none', reason: 'failed', detail: 'no directory' })
  })

  it('may come in pieces of any size', async () => {
    const octets = [...Buffer.from(signMessage(mail({ body: 'a \r\n\r\n\tb\r\n \r\n' }), bank))]
    const { result } = await ask(pieces(...octets.map((octet) => Buffer.from([octet]))))
    assert.equal(result.kind, 'dkim')
  })

  it('is read only to the end of the header if that rules everything out', async () => {
    let read = 0
    function* body(): Generator<Buffer> {
      yield Buffer.from(MAIL)
      for (; read < 100; read++) yield Buffer.from('more\r\n')
    }
    const { result } = await ask(Readable.from(body()))
    assert.deepEqual(result, { kind: 'none', reason: 'unsigned' })
    assert.ok(read < 50, String(read))
  })
})
