import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import ini from 'haraka-config/lib/readers/ini'
import { iniLines } from '../../src/config/ini-lines'

/** `line: message` each. */
function faults(text: string): string[] {
  return iniLines(text).faults.map(({ line, message }) => `${line}: ${message}`)
}

function warnings(text: string): string[] {
  return iniLines(text).warnings.map(({ line, message }) => `${line}: ${message}`)
}

/** What haraka-config makes of the text that is left. */
function values(text: string): unknown {
  const logged: string[] = []
  const { log } = console
  console.log = (message: string) => logged.push(message)
  try {
    return JSON.parse(JSON.stringify(ini.parseIni('test.ini', {}, iniLines(text).text)))
  } finally {
    console.log = log
    assert.deepEqual(logged, [], 'haraka-config does not understand it')
  }
}

const NO_EQUALS = 'the line has no "=": a key is written KEY=VALUE, a comment begins with ; or #'
const NO_KEY = 'the line is no KEY=VALUE: a key has letters and _ only'

describe('the lines of an ini file', () => {
  for (const [what, text] of [
    ['LF', '; note\n[main]\n mode = monitor \n\n#x\n[redis]\nport=6380\n'],
    ['CRLF', '; note\r\n[main]\r\nmode=monitor\r\n\r\n[redis]\r\nport=6380\r\n'],
    ['CR', '[main]\rmode=monitor\r[redis]\rport=6380\r'],
    ['no end of the last line', '[main]\nmode=monitor\n[redis]\nport=6380'],
    ['a BOM before a section', '\ufeff[main]\nmode=monitor\n[redis]\nport=6380\n'],
    ['a BOM before a key', '\ufeffmode=monitor\n[redis]\nport=6380\n'],
    ['a BOM before a comment', '\ufeff; x\nmode=monitor\n[redis]\nport=6380\n'],
    ['blanks in a section line', ' [ main ] \nmode=monitor\n[ redis ]\nport=6380\n'],
    ['a continued line', '[main]\nmode=\\\n  monitor\n[redis]\npo\\ \n; between\nrt=6380\n'],
  ] as const) {
    it(`are understood with ${what}`, () => {
      assert.deepEqual(faults(text), [])
      assert.deepEqual(values(text), { main: { mode: 'monitor' }, redis: { port: 6380 } })
    })
  }

  for (const [text, expected] of [
    ['override off', `1: ${NO_EQUALS}`],
    ['override', `1: ${NO_EQUALS}`],
    ['override: off', `1: ${NO_EQUALS}`],
    ['override:off', `1: ${NO_EQUALS}`],
    ['//x', `1: ${NO_EQUALS}`],
    ['<<<<<<< HEAD', `1: ${NO_EQUALS}`],
    ['=======', `1: ${NO_KEY}`],
    ['=off', `1: ${NO_KEY}`],
    ['"override"=off', `1: ${NO_KEY}`],
    ['over ride=off', `1: ${NO_KEY}`],
    ['überride=off', `1: ${NO_KEY}`],
    [
      'limits=1/1h,\\',
      '1: the line ends in a backslash, which joins it to the next one, and there is none',
    ],
    [
      'limits=1/1h,\\\n[redis]',
      '1: the line ends in a backslash, which joins it to the next one, and there is none',
    ],
    ['over\\\n\n ride off', `1: ${NO_EQUALS}`],
  ] as const) {
    it(`are left out where they are no key=value: ${JSON.stringify(text)}`, () => {
      assert.deepEqual(faults(text), [expected])
      const kept = { main: { mode: 'off' }, null: { limits: '1/1h' } }
      const around = `[null]\nlimits=1/1h\n[main]\nmode=off\n${text}\n[redis]\nport=1\n`
      assert.deepEqual(faults(around), [expected.replace('1', '5')])
      assert.deepEqual(values(around), { ...kept, redis: { port: 1 } })
    })
  }

  it('name the section and key of a damaged line, and nothing that could be secret', () => {
    const [fault] = iniLines('[redis]\npassword s3cret\n').faults
    assert.deepEqual(fault, {
      line: 2,
      section: 'redis',
      key: 'password',
      mended: false,
      message: NO_EQUALS,
    })
  })

  for (const line of ['[null', '[null]]', '[null] ; bounces', '[null]# x', '[null]x', ' [ null']) {
    it(`read ${JSON.stringify(line)} as a section line: its keys do not go to the section above`, () => {
      const text = `[allowance]\nlimits=9/1h\n${line}\nlimits=1/1h\n`
      assert.deepEqual(faults(text), ['3: the line is no section: write [null] and nothing else'])
      assert.equal(iniLines(text).faults[0]?.section, 'null')
      assert.deepEqual(values(text), {
        main: {},
        allowance: { limits: '9/1h' },
        null: { limits: '1/1h' },
      })
    })
  }

  it('are known for each section and key; for a list and a continued line, the first', () => {
    const text = 'mode=off\n[redis]\ncluster[]=a:1\ncluster[]=b:2\n\nprefix=\\\nx:\n[main]\n'
    assert.deepEqual(
      iniLines(text).sections,
      new Map([
        ['main', { line: 1, keys: new Map([['mode', 1]]) }],
        [
          'redis',
          {
            line: 2,
            keys: new Map([
              ['cluster', 3],
              ['prefix', 6],
            ]),
          },
        ],
      ]),
    )
  })

  it('warn of a key that is set twice, and not of a list', () => {
    assert.deepEqual(warnings('[redis]\ncluster[]=a:1\ncluster[]=b:2\n'), [])
    assert.deepEqual(warnings('[main]\nmode=off\nmode=monitor\nmode=off\n'), [
      '3: [main] mode is set again, as on line 2: line 3 is in effect',
      '4: [main] mode is set again, as on line 3: line 4 is in effect',
    ])
    for (const text of ['cluster=a:1\ncluster[]=b:2', 'cluster[]=a:1\ncluster=b:2']) {
      assert.deepEqual(warnings(`[redis]\n${text}\n`), [
        '3: [redis] cluster is set again, as on line 2: line 3 is in effect',
      ])
    }
  })

  it('warn of a section that begins twice, main above all section lines too', () => {
    assert.deepEqual(warnings('mode=off\n[redis]\n[main]\noverride=off\n[redis]\n'), [
      '3: [main] begins again, as on line 1: the keys of both are in effect',
      '5: [redis] begins again, as on line 2: the keys of both are in effect',
    ])
  })
})
