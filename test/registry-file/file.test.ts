import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { readdir, stat, truncate, utimes } from 'node:fs/promises'
import path from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { scratchDir } from '../../scripts/services/scratch'
import { writeLines, writeTo } from '../../src/registry-file/write-file'
import { openRecords, verifyFile } from '../../src/registry-file/read-file'
import { LONGEST_LINE, parseObject, type Header } from '../../src/registry-file/format'
import { formatRecord, toRecord, type RegistryRecord } from '../../src/registry-file/record'
import { errorOf } from '../support/registry'

/** As the reader of a file reads one of its lines. */
function parseRecord(line: string, where: string): RegistryRecord {
  return toRecord(parseObject(line, where), where)
}

const HEADER: Header = {
  kind: 'backup',
  prefix: 'ud:',
  epoch: '1764000000000000-abcdef',
  schema: '1.1',
  createdAt: 1_764_000_000_000,
  omitted: 0,
}

/** A ring with 299 recipients in one bucket. */
function ring(count: number): Buffer {
  const octets = Buffer.alloc(256)
  octets.writeDoubleLE(29_400_000, 0)
  octets.writeUInt32LE(count, 8)
  octets.writeUInt32LE(count, 12 + 4 * (29_400_000 % 61))
  return octets
}

/** The same, ahead of the clock by so many buckets. */
function ringAhead(buckets: number): Buffer {
  const ahead = Buffer.alloc(8)
  ahead.writeDoubleLE(buckets)
  return Buffer.concat([ring(299), ahead])
}

const RECORDS: readonly RegistryRecord[] = [
  { type: 'move', domain: 'moving.example', from: 'contoso', to: 'fabrikam', subdomains: true },
  {
    type: 'tenant',
    id: 'contoso',
    fields: new Map([
      ['name', 'Contoso “Ltd” – Ü'],
      ['limits', '300/1h, 1500/1d defer'],
      ['temporaryLimits', '900/1h, 9000/1d until 2026-12-03T08:00:00Z'],
      ['mode', 'monitor'],
      ['source', 'file:site'],
      ['createdAt', '1764000000000'],
      ['domains', '1764000000000000-0123456789ab'],
      ['state', '1764000000000001-1:F00D.1'],
      ['lifted', '1764000000000\tann\tcleaned'],
    ]),
    restriction: new Map([
      ['since', '1764000000000'],
      ['scope', 'unregistered'],
      ['by', 'automatic'],
      ['reason', 'allowance of 300/1h exceeded'],
      ['window', '3600000'],
      ['limit', '300'],
      ['used', '300'],
      ['domain', 'other.example'],
      ['connector', 'contoso/mx'],
      ['ip', '192.0.2.1'],
    ]),
    usage: new Map([
      ['generation', Buffer.from('1764000000000000-0123456789ab')],
      ['u3600000', ring(299)],
      ['f3600000', ring(5)],
      ['h600000', ring(2)],
      ['n3600000', ring(1)],
      ['u86400000', ringAhead(1440)],
      ['wouldTrip', Buffer.from('since\t1764000000000\twindow\t3600000')],
    ]),
  },
  {
    type: 'domains',
    tenant: 'contoso',
    domains: new Map([
      ['contoso.com', 's 1764000000000 Ann of Contoso'],
      ['__proto__', '- 1764000000000 root'],
      ['corp.local', 'sh 1764000000000 file:site'],
    ]),
  },
  {
    type: 'tenant',
    id: 'fabrikam',
    fields: new Map([['createdAt', '1']]),
    restriction: undefined,
    usage: undefined,
  },
  {
    type: 'connector',
    id: 'contoso/mx',
    value:
      '{"ip":["192.0.2.0/24"],"cert":["*.contoso.com"],"certSha256":[],"auth":["*@contoso.com"],"enabled":true,"addedBy":"root","addedAt":1764000000000}',
  },
]
const LINES = RECORDS.map(formatRecord)

async function newFile(lines: Iterable<string> = LINES, header = HEADER): Promise<string> {
  const file = path.join(scratchDir('backup'), 'backup.jsonl')
  await writeLines(file, header, lines)
  return file
}

async function readAll(file: string): Promise<RegistryRecord[]> {
  const opened = await openRecords(file)
  const records: RegistryRecord[] = []
  for await (const record of opened.records()) records.push(record)
  await opened.close()
  return records
}

/** The first error of looking through a file, with the name of the file taken out. */
async function faultOf(file: string): Promise<string> {
  const error = await errorOf(verifyFile(file))
  assert.equal((error as { exitStatus?: number }).exitStatus, 2, error.stack)
  return error.message.replaceAll(file, 'FILE')
}

describe('a backup file', () => {
  it('holds what was written, for its owner only', async () => {
    const file = await newFile()
    const verified = await verifyFile(file)
    assert.deepEqual(verified.header, HEADER)
    assert.equal(verified.records, RECORDS.length)
    assert.equal(verified.octets, (await stat(file)).size)
    assert.deepEqual(await readAll(file), RECORDS)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(path.dirname(file)), ['backup.jsonl'])
  })

  it('is JSON lines: a header, the records, and a last line with their number and checksum', async () => {
    const text = readFileSync(await newFile(), 'utf8')
    const lines = text.trimEnd().split('\n')
    assert.match(lines[0]!, /^\{"format":"haraka-plugin-unregistered-domain","version":1,/)
    assert.deepEqual(lines.slice(1, -1), LINES)
    const before = text.slice(0, text.lastIndexOf('{"type":"end"'))
    const sha256 = execFileSync('sha256sum', { input: before }).toString().split(' ')[0]
    assert.deepEqual(JSON.parse(lines.at(-1)!), { type: 'end', records: LINES.length, sha256 })
  })

  it('may be empty, and may hold many megabytes', async () => {
    assert.equal((await verifyFile(await newFile([]))).records, 0)
    const domains = (at: number) =>
      formatRecord({
        type: 'domains',
        tenant: 'contoso',
        domains: new Map(
          Array.from({ length: 1000 }, (_, n) => [`n${at}-${n}.example`, '- 1764000000000 root']),
        ),
      })
    function* lines(): Generator<string> {
      yield LINES[1]!
      for (let at = 0; at < 200; at++) yield domains(at)
    }
    const { records, octets } = await verifyFile(await newFile(lines()))
    assert.equal(records, 201)
    assert.ok(octets > 8e6)
  })

  it('is refused wherever it was cut off', async () => {
    const file = await newFile()
    const whole = readFileSync(file)
    const offsets = Array.from({ length: whole.length }, (_, at) => at)
    for (const offset of offsets.filter((at) => at % 7 === 0 || whole[at - 1] === 10)) {
      writeFileSync(file, whole.subarray(0, offset))
      assert.match(await faultOf(file), /FILE.*: /, `cut at ${offset}`)
    }
    await truncate(file, 0)
    assert.match(await faultOf(file), /^FILE: it is no backup/)
  })

  it('is refused with any bit of it flipped', async () => {
    const file = await newFile()
    const whole = readFileSync(file)
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
        const octets = Buffer.from(whole)
        octets[at]! ^= 1 << bit
        writeFileSync(file, octets)
        assert.match(await faultOf(file), /^FILE/)
      }),
      { numRuns: 500 },
    )
  })

  it('is refused with lines added, doubled, taken out or in another order', async () => {
    const file = await newFile()
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    const [first, ...rest] = lines as [string, ...string[]]
    for (const changed of [
      [...lines, LINES[0]!],
      [first, rest[0]!, ...rest],
      [first, ...rest.slice(1)],
      [first, rest[1]!, rest[0]!, ...rest.slice(2)],
      [first, rest[2]!, ...rest],
      [first, first, ...rest],
      lines.slice(0, -1),
    ]) {
      writeFileSync(file, changed.map((line) => `${line}\n`).join(''))
      assert.match(await faultOf(file), /damaged|not known/)
    }
  })

  it('of others is refused, naming what it is to be', async () => {
    const file = path.join(scratchDir('backup'), 'x')
    for (const foreign of [
      '',
      '\n',
      'tenants:\n  contoso: {}\n',
      '{"format":"other","version":1}\n',
      '[1]\n',
      'null\n',
      '\0\0\0\0\n',
      Buffer.from([0xff, 0xfe, 10]),
      Buffer.alloc(50_000_000, 'x'),
    ]) {
      writeFileSync(file, foreign)
      assert.match(await faultOf(file), /^FILE(:1)?: it is no backup and no snapshot of haraka/)
    }
    writeFileSync(file, '{"format":"haraka-plugin-unregistered-domain","version":2}\n')
    assert.match(await faultOf(file), /^FILE:1: it is of format version 2, .* newer/)
    writeFileSync(file, '{"format":"haraka-plugin-unregistered-domain","version":1}\n')
    assert.match(await faultOf(file), /^FILE:1: the header/)
  })

  it('with a line of 50 MB is refused without reading it to its end', async () => {
    const file = await newFile()
    const lines = readFileSync(file, 'utf8').split('\n')
    writeFileSync(file, `${lines[0]!}\n{"type":"tenant","id":"`)
    appendFileSync(file, Buffer.alloc(50_000_000, 'x'))
    assert.match(await faultOf(file), /^FILE:2: the line is longer than 8388608 octets/)
    const written = errorOf(newFile([JSON.stringify('x'.repeat(LONGEST_LINE))]))
    assert.match((await written).message, /more than 8388608 octets/)
  })

  it('that is no file is refused', async () => {
    const dir = scratchDir('backup')
    execFileSync('mkfifo', [path.join(dir, 'pipe')])
    assert.match(await faultOf(path.join(dir, 'pipe')), /^FILE is no regular file/)
    assert.match(await faultOf(dir), /^FILE is no regular file/)
    assert.match(await faultOf('/dev/zero'), /^FILE is no regular file/)
    assert.match(
      await faultOf(path.join(dir, 'absent')),
      /^FILE cannot be read \(ENOENT\): it does not exist$/,
    )
  })
})

describe('writing a backup file', () => {
  it('leaves the older one as it was where it fails, and nothing else', async () => {
    const file = await newFile()
    const before = readFileSync(file, 'utf8')
    async function* broken(): AsyncGenerator<string> {
      yield LINES[1]!
      await Promise.resolve()
      throw new Error('Redis went away')
    }
    const error = await errorOf(writeLines(file, HEADER, broken()))
    assert.equal(error.message, 'Redis went away')
    assert.equal(readFileSync(file, 'utf8'), before)
    assert.deepEqual(await readdir(path.dirname(file)), ['backup.jsonl'])
  })

  it('takes the place of the older one in one step', async () => {
    const file = await newFile()
    const opened = await openRecords(file)
    await writeLines(file, HEADER, [LINES[3]!], { verify: true })
    assert.equal((await opened.verify()).records, LINES.length)
    await opened.close()
    assert.equal((await verifyFile(file)).records, 1)
  })

  it('takes no symbolic link, directory or device for the file', async () => {
    const dir = scratchDir('backup')
    writeFileSync(path.join(dir, 'target'), 'precious')
    symlinkSync('target', path.join(dir, 'link'))
    mkdirSync(path.join(dir, 'directory'))
    for (const [name, message] of [
      ['link', /link is a symbolic link to target, .* name that file/],
      ['directory', /is no regular file/],
      ['/dev/null', /is no regular file/],
      ['absent/x', /cannot be written \(ENOENT.*directory that is there/],
    ] as const) {
      const error = await errorOf(writeLines(path.resolve(dir, name), HEADER, LINES))
      assert.match(error.message, message)
      assert.equal((error as { exitStatus?: number }).exitStatus, 1)
    }
    assert.equal(readFileSync(path.join(dir, 'target'), 'utf8'), 'precious')
    assert.deepEqual((await readdir(dir)).sort(), ['directory', 'link', 'target'])
  })

  it('says so where the disk is full', { skip: process.getuid?.() !== 0 }, async () => {
    const dir = scratchDir('backup')
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir], { stdio: 'ignore' })
    } catch {
      return
    }
    try {
      const file = path.join(dir, 'backup.jsonl')
      const many = Array.from({ length: 1000 }, () => LINES[1]!)
      const error = await errorOf(writeLines(file, HEADER, many))
      assert.match(error.message, /cannot be written \(ENOSPC/)
      assert.deepEqual(await readdir(dir), [])
    } finally {
      execFileSync('umount', [dir])
    }
  })

  it('removes what a killed process has left an hour ago, and nothing else', async () => {
    const file = await newFile()
    const dir = path.dirname(file)
    const old = new Date(Date.now() - 2 * 3_600_000)
    for (const name of ['.backup.jsonl.new-0123456789abcdef', '.backup.jsonl.new-mine']) {
      writeFileSync(path.join(dir, name), '')
      await utimes(path.join(dir, name), old, old)
    }
    writeFileSync(path.join(dir, '.backup.jsonl.new-00000000000000ff'), '')
    await writeLines(file, HEADER, LINES)
    assert.deepEqual((await readdir(dir)).sort(), [
      '.backup.jsonl.new-00000000000000ff',
      '.backup.jsonl.new-mine',
      'backup.jsonl',
    ])
  })

  it('waits for who takes it', async () => {
    let taken = 0
    let asked = 0
    function* lines(): Generator<string> {
      for (; asked < 5000; asked++) yield LINES[1]!
    }
    let most = 0
    await writeTo(
      async (text) => {
        most = Math.max(most, asked - taken)
        await new Promise((resolve) => setImmediate(resolve))
        taken += text.split('\n').length - 1
      },
      HEADER,
      lines(),
    )
    assert.equal(taken, 5002)
    assert.ok(most < 200, `${most} lines were waiting`)
  })
})

describe('a record', () => {
  /** The tenant's record with something else in it. */
  function tenantWith(change: Record<string, unknown>): string {
    return JSON.stringify({ ...(JSON.parse(LINES[1]!) as object), ...change })
  }
  const fields = (change: object) => ({ fields: { createdAt: '1', ...change } })
  const ringText = (octets: Buffer) => octets.toString('base64')

  it('that is as it was written is read', () => {
    for (const [at, line] of LINES.entries()) {
      assert.deepEqual(parseRecord(line, 'x'), RECORDS[at])
      assert.equal(formatRecord(parseRecord(line, 'x')), line)
    }
    // What a later version keeps there is kept.
    assert.ok(parseRecord(tenantWith(fields({ contact: 'ann@contoso.com' })), 'x'))
    assert.ok(parseRecord(tenantWith({ later: true }), 'x'))
  })

  const wrongTotal = ring(5)
  wrongTotal.writeUInt32LE(6, 8)
  const noNumber = ring(5)
  noNumber.writeDoubleLE(NaN, 0)
  for (const [what, line] of [
    ['no object', '[]'],
    ['no type', '{}'],
    ['an unknown type', '{"type":"receipt"}'],
    ['an id that is another key', tenantWith({ id: '@owners' })],
    ['an id that is none', tenantWith({ id: 'a}:domains' })],
    ['an id of another type', tenantWith({ id: ['contoso'] })],
    ['no fields', tenantWith({ fields: undefined })],
    ['no createdAt', tenantWith({ fields: {} })],
    ['a createdAt that is no number', tenantWith(fields({ createdAt: '1e9' }))],
    ['limits that stand for no limit', tenantWith(fields({ limits: 'none' }))],
    ['a time that is none', tenantWith(fields({ temporaryLimits: '5/1h until noon' }))],
    ['an unknown mode', tenantWith(fields({ mode: 'on' }))],
    ['a contact that is no address', tenantWith(fields({ contact: 'ann' }))],
    ['a contact in another spelling', tenantWith(fields({ contact: '<ann@Contoso.com>' }))],
    ['a token with a control character', tenantWith(fields({ state: 'a\tb' }))],
    ['a name with a control character', tenantWith(fields({ name: 'a\u001b[2J' }))],
    ['half a character', tenantWith(fields({ name: '\ud800' }))],
    ['a field that is no name', tenantWith(fields({ 'a b': '1' }))],
    [
      '__proto__',
      tenantWith({ fields: JSON.parse('{"createdAt":"1","__proto__":"x"}') as object }),
    ],
    ['a field that is no text', tenantWith(fields({ name: 1 }))],
    ['a text that is too long', tenantWith(fields({ name: 'x'.repeat(10_001) }))],
    [
      'too many fields',
      tenantWith(fields(Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`f${n}`, ''])))),
    ],
    ['a restriction without a scope', tenantWith({ restriction: { since: '1' } })],
    [
      'a restriction with an unknown scope',
      tenantWith({ restriction: { since: '1', scope: 'x' } }),
    ],
    ['a restriction that is a list', tenantWith({ restriction: [] })],
    ['usage that is no base64', tenantWith({ usage: { u3600000: '*' } })],
    ...['u3600000', 'f3600000', 'n60000', 'h600000'].flatMap((field): [string, string][] => {
      const withRing = (octets: Buffer) => tenantWith({ usage: { [field]: ringText(octets) } })
      return [
        [`a ring ${field} that is no ring`, withRing(Buffer.from('12'))],
        [`a ring ${field} that is too short`, withRing(ring(1).subarray(1))],
        [`a ring ${field} whose total is wrong`, withRing(wrongTotal)],
        [`a ring ${field} whose time is no number`, withRing(noNumber)],
        [`a ring ${field} that is ahead by no number`, withRing(ringAhead(NaN))],
      ]
    }),
    [
      'a generation that is none',
      tenantWith({ usage: { generation: ringText(Buffer.from('a b')) } }),
    ],
    ['domains of nobody', '{"type":"domains","domains":{}}'],
    ['a domain in capitals', '{"type":"domains","tenant":"a","domains":{"A.example":"- 1 x"}}'],
    ['a domain that is none', '{"type":"domains","tenant":"a","domains":{"a..example":"- 1 x"}}'],
    ['flags that are none', '{"type":"domains","tenant":"a","domains":{"a.example":"x 1 x"}}'],
    ['nobody who added it', '{"type":"domains","tenant":"a","domains":{"a.example":"s 1"}}'],
    ['a connector of nobody', '{"type":"connector","id":"mx","value":"{}"}'],
    ['a connector below another', '{"type":"connector","id":"a/b/c","value":"{}"}'],
    ['a connector that is no JSON', '{"type":"connector","id":"a/b","value":"{"}'],
    ['a connector of nothing', '{"type":"connector","id":"a/b","value":"{}"}'],
    ['a connector of everybody', LINES[4]!.replace('192.0.2.0/24', '0.0.0.0/0')],
    ['a prefix in another spelling', LINES[4]!.replace('192.0.2.0/24', '192.0.2.7/24')],
    ['a certificate of everybody', LINES[4]!.replace('*.contoso.com', '*')],
    ['a move without an end', '{"type":"move","domain":"a.example","from":"a","subdomains":true}'],
  ] as const) {
    it(`with ${what} is refused`, () => {
      assert.throws(() => parseRecord(line, 'FILE:7'), /^InputError: FILE:7: /)
    })
  }

  it('of any JSON is read or refused, and never breaks anything', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 4 }),
        fc.constantFrom('tenant', 'domains', 'connector', 'move'),
        (json, type) => {
          const value = JSON.parse(json) as unknown
          const line = JSON.stringify({
            type,
            id: value,
            fields: value,
            domains: value,
            tenant: 'a',
            value,
          })
          try {
            assert.equal(formatRecord(parseRecord(line, 'FILE:7')).length > 0, true)
          } catch (error) {
            assert.match(String(error), /^InputError: FILE:7: /)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
