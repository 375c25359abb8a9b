import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brief, duration, Output, outside, toCopy, type Cell } from '../../src/cli/kit/output'
import { isoTime, shortTime } from '../../src/base/time'
import type { Io } from '../../src/cli/kit/io'
import { inLocalTime } from '../../src/cli/kit/local-time'

describe('output for a terminal', () => {
  it('aligns columns, wide characters too, without lines or trailing blanks', () => {
    const { out, written } = output()
    out.table(
      ['NAME', 'USED'],
      [
        ['株式会社', { text: '7', right: true }],
        ['a', { text: '1000', right: true }],
        ['', ''],
      ],
      'nothing',
    )
    out.table(['NAME'], [], 'nothing')
    assert.equal(written(), 'NAME      USED\n株式会社     7\na         1000\n\nnothing\n')
  })

  it('wraps the widest text on a narrow terminal, and nothing where the output is piped', () => {
    const row = ['contoso', 'mail of a customer came from a new server', 'ann']
    assert.equal(
      table(40, [row]),
      `${trimmed`
        TENANT   WHAT                        BY
        contoso  mail of a customer came     ann
                 from a new server`}\n`,
    )
    assert.equal(table(undefined, [row]).split('\n')[1], row.join('  '))
  })

  it('cuts only texts from outside, in the middle, and never what is to be copied', () => {
    const sender = outside('株式会社-accounts-payable-department@lure.example')
    const command = toCopy('tenantctl connector add TENANT NAME --ip 192.0.2.1')
    const printed = table(84, [['a.example', sender, command]])
    assert.match(printed, /^a\.example {2}株\S+…\S+example {2}tenantctl .* 192\.0\.2\.1$/m)
    for (const line of printed.split('\n')) assert.ok(line.length <= 84, line)
  })

  it('folds each row where the terminal is narrower than its words, and breaks none of them', () => {
    const id = 'a'.repeat(30)
    const rows = [
      [id, 'b'.repeat(30), { text: '3', right: true }],
      [id, '', ''],
    ]
    assert.equal(
      table(40, rows),
      `TENANT\n    WHAT                            BY\n${id}\n    ${'b'.repeat(30)}   3\n${id}\n`,
    )
    assert.equal(
      table(64, rows).split('\n')[1],
      `${id} ${'b'.repeat(30)}  3`,
      'a narrower gap comes first',
    )
  })

  it('shows the first rows on a terminal and says how many more there are, and pipes all', () => {
    const rows = Array.from({ length: 2500 }, (_, at) => [`d${at}.example`])
    const shown = output(80, 1000)
    shown.out.table(['DOMAIN'], rows, '')
    assert.equal(shown.written().split('\n').length, 1003)
    assert.match(shown.written(), /d999\.example\nand 1,500 more \(--all\)\n$/)
    const piped = output(undefined, 1000)
    piped.out.table(['DOMAIN'], rows, '')
    assert.equal(piped.written(), `DOMAIN\n${rows.join('\n')}\n`)
  })

  it('uses colours on a terminal that can show them, or as it is told', () => {
    const isPainted = (terminal: boolean, env: Record<string, string>, color?: string): boolean => {
      let written = ''
      const io = { stdout: { write: (text: string) => (written += text) }, env, terminal }
      new Output(io as unknown as Io, color === undefined ? {} : { color }).line('a', 'bad')
      return written !== 'a\n'
    }
    assert.equal(isPainted(true, {}), true)
    assert.equal(isPainted(false, {}), false)
    assert.equal(isPainted(true, { NO_COLOR: '1' }), false)
    assert.equal(isPainted(true, { TERM: 'dumb' }), false)
    assert.equal(isPainted(false, { FORCE_COLOR: '1', TERM: 'dumb' }), true)
    assert.equal(isPainted(true, { FORCE_COLOR: '0' }), false)
    assert.equal(isPainted(false, { NO_COLOR: '1' }, 'always'), true)
    assert.equal(isPainted(true, { FORCE_COLOR: '1' }, 'never'), false)
  })

  it('prints the times in a text in the local zone, each with its offset', () => {
    const before = process.env['TZ']
    try {
      process.env['TZ'] = 'Asia/Kolkata'
      assert.equal(
        inLocalTime('from 2026-11-24T20:00:00Z to 2026-11-24 22:30Z, 2026-11-24, 20:00Z'),
        'from 2026-11-25T01:30:00+05:30 to 2026-11-25 04:00+05:30, 2026-11-24, 20:00Z',
      )
      process.env['TZ'] = 'America/New_York'
      assert.equal(inLocalTime('2026-07-01T00:00:00.123Z'), '2026-06-30T20:00:00.123-04:00')
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
  })

  it('cuts a long text from outside in the middle, between whole letters', () => {
    assert.equal(brief('x'.repeat(44)), 'x'.repeat(44))
    assert.equal(brief(`<${'x'.repeat(300)}@lure.example>`).length, 43)
    assert.match(brief(`<${'x'.repeat(300)}@lure.example>`), /^<x{20}…x+@lure\.example>$/)
    assert.equal(brief('😀'.repeat(100)), `${'😀'.repeat(21)}…${'😀'.repeat(21)}`)
    assert.equal(brief('a\u001b[2J\tb'), 'a[2J b')
  })

  it('prints times in UTC and durations in one or two units', () => {
    assert.equal(isoTime(1_764_000_000_123), '2025-11-24T16:00:00.123Z')
    assert.equal(shortTime(1_764_000_000_123), '2025-11-24T16:00:00Z')
    for (const [ms, text] of [
      [0, '0s'],
      [1, '1s'],
      [59_001, '1m'],
      [60_001, '2m'],
      [3_600_000, '1h'],
      [3_660_000, '1h 1m'],
      [86_400_000, '1d'],
      [100_000_000, '1d 3h'],
    ] as const) {
      assert.equal(duration(ms), text)
    }
  })
})

/** An output to a terminal of so many columns, or to a pipe. */
function output(columns?: number, mostRows?: number): { out: Output; written: () => string } {
  let written = ''
  const io = {
    stdout: { write: (text: string) => (written += text) },
    env: { NO_COLOR: '1' },
    terminal: columns !== undefined,
    columns,
  }
  return {
    out: new Output(io as unknown as Io, { mostRows: mostRows ?? Infinity }),
    written: () => written,
  }
}

function table(columns: number | undefined, rows: Cell[][]): string {
  const { out, written } = output(columns)
  out.table(['TENANT', 'WHAT', 'BY'], rows, '')
  return written()
}

function trimmed([text]: TemplateStringsArray): string {
  return text!.replace(/^\n/, '').replaceAll(/^ {8}/gm, '')
}
