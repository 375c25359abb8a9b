// By Haraka's real loggers, in each of their formats.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { LogOnce, logTextOnce } from '../../../plugins/kit/log'
import { cores, type HarakaVersion } from '../../../scripts/services/haraka-site'
import { parseLogfmt, UNSAFE } from '../../support/log-lines'

const LEVELS = ['INFO', 'NOTICE', 'WARN', 'ERROR', 'CRIT']
const HOSTILE =
  'a"b\\ c=d\r\n[CRIT] x\n\u001b[2J\u009b1m\u0000\u007f\u202e\u2066\u2028\u2029\u0085e\t verdict=pass'
const HARMLESS = 'a"b\\ c=d [CRIT] x [2J1m e  verdict=pass'

/** What Haraka writes where the plugin logs this on every level. */
function logged(version: HarakaVersion, format: string): string[] {
  const core = cores[version]
  const script = `
    const logger = require(${JSON.stringify(path.join(core, 'logger'))})
    const plugins = require(${JSON.stringify(path.join(core, 'plugins'))})
    const { logSafely } = require(${JSON.stringify(path.resolve('dist/plugins/kit/log'))})
    logger.set_loglevel('INFO')
    logger.set_format('${format}')
    logger.set_timestamps(false)
    const plugin = new plugins.Plugin('tls')
    plugin.name = 'ours'
    logSafely(plugin)
    const text = ${JSON.stringify(HOSTILE)}
    for (const level of ${JSON.stringify(LEVELS)}) {
      const values = Object.freeze({ by: text, verdict: 'refuse', count: 3 })
      plugin['log' + level.toLowerCase()]('token', values)
      plugin['log' + level.toLowerCase()]('message: ' + text)
    }
    logger.dump_logs()`
  const out = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  const lines = out.split('\n').slice(0, -1)
  return lines.slice(lines.findIndex((line) => line.includes('ours')))
}

/** What Haraka writes for a charge with these facts, and for the same facts as values of a line. */
function chargeLogged(version: HarakaVersion, format: string): string[] {
  const core = cores[version]
  const script = `
    const logger = require(${JSON.stringify(path.join(core, 'logger'))})
    const plugins = require(${JSON.stringify(path.join(core, 'plugins'))})
    const { logSafely } = require(${JSON.stringify(path.resolve('dist/plugins/kit/log'))})
    const { Report } = require(${JSON.stringify(path.resolve('dist/plugins/session/report'))})
    class Connection { uuid = 'A1'; tran_count = 2 }
    logger.set_loglevel('INFO')
    logger.set_format('${format}')
    logger.set_timestamps(false)
    const plugin = new plugins.Plugin('tls')
    plugin.name = 'ours'
    logSafely(plugin)
    const report = new Report(plugin)
    const connection = new Connection()
    const haraka = { uuid: 'A1.2', results: { add() {} } }
    for (const tenant of ['contoso', '', ${JSON.stringify(HARMLESS)}]) {
      for (const connector of [tenant + '/mx', undefined]) {
        const facts = { tenant, connector, domain: 'far.example' }
        const transaction = { facts, haraka, sender: { class: 'foreign' }, markCharged() {} }
        report.charged(connection, transaction, { used: 2, limit: 30, window: 1, edges: [] })
        if (!connector) delete facts.connector
        const values = { class: 'foreign', verdict: 'pass', used: '2/30', transaction: 'A1.2' }
        plugin.loginfo(connection, 'charged', { ...facts, ...values })
      }
    }
    logger.dump_logs()`
  const out = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  return out.split('\n').filter((line) => line.includes('charged'))
}

/** Whether a line of level info is logged at each of these levels, one after the other. */
function isInfoLogged(version: HarakaVersion, levels: readonly string[]): boolean[] {
  const core = cores[version]
  const script = `
    const logger = require(${JSON.stringify(path.join(core, 'logger'))})
    const plugins = require(${JSON.stringify(path.join(core, 'plugins'))})
    const { InfoLevel } = require(${JSON.stringify(path.resolve('dist/plugins/kit/log'))})
    const info = new InfoLevel(new plugins.Plugin('tls'))
    const answers = ${JSON.stringify(levels)}.map((level) => {
      logger.set_loglevel(level)
      return info.isLogged
    })
    console.log(JSON.stringify(answers))`
  const out = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as boolean[]
}

for (const version of Object.keys(cores) as HarakaVersion[]) {
  describe(`the log of Haraka ${version}`, () => {
    it('has lines of level info by the level in effect, also after it was changed', () => {
      const levels = ['NOTICE', 'INFO', 'WARN', 'DEBUG', 'nonsense']
      assert.deepEqual(isInfoLogged(version, levels), [false, true, false, true, false])
    })

    for (const format of ['DEFAULT', 'LOGFMT', 'JSON']) {
      it(`has charges as any other line, as ${format}`, () => {
        const lines = chargeLogged(version, format)
        assert.equal(lines.length, 12)
        for (let at = 0; at < lines.length; at += 2) assert.equal(lines[at], lines[at + 1])
      })
    }

    it('is not forged as DEFAULT', () => {
      const quoted = HARMLESS.replace(/["\\]/g, '\\$&')
      assert.deepEqual(
        logged(version, 'DEFAULT'),
        LEVELS.flatMap((level) => [
          `[${level}] [-] [ours] token by="${quoted}" verdict=refuse count=3`,
          `[${level}] [-] [ours] message: ${HARMLESS}`,
        ]),
      )
    })

    it('is not forged as LOGFMT', () => {
      const lines = logged(version, 'LOGFMT')
      for (const line of lines) assert.doesNotMatch(line, UNSAFE)
      assert.deepEqual(
        lines.map(parseLogfmt),
        LEVELS.flatMap((level) => {
          const head = [
            ['level', level],
            ['uuid', '-'],
            ['origin', 'ours'],
          ]
          const values = [
            ['message', 'token'],
            ['by', HARMLESS],
            ['verdict', 'refuse'],
            ['count', '3'],
          ]
          return [
            [...head, ...values],
            [...head, ['message', `message: ${HARMLESS}`]],
          ]
        }),
      )
    })

    it('is not forged as JSON', () => {
      const lines = logged(version, 'JSON')
      for (const line of lines) assert.doesNotMatch(line, UNSAFE)
      assert.deepEqual(
        lines.map((line) => JSON.parse(line) as unknown),
        LEVELS.flatMap((level) => {
          const head = { level, uuid: '-', origin: 'ours' }
          return [
            { ...head, message: 'token', by: HARMLESS, verdict: 'refuse', count: 3 },
            { ...head, message: `message: ${HARMLESS}` },
          ]
        }),
      )
    })
  })
}

describe('what is logged once and then counted', () => {
  const MINUTE = 60_000
  let told: [thing: string, repeats: number, kind: string][]
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] })
    told = []
  })
  afterEach(() => mock.timers.reset())

  const newLog = (most?: number): LogOnce => new LogOnce((...line) => told.push(line), most)

  it('is logged for the first of each kind, and counted once a minute', () => {
    const log = newLog()
    assert.equal(log.say('a', 'first'), true)
    for (let at = 0; at < 4; at++) assert.equal(log.say('a', 'another'), false)
    assert.equal(log.say('b', 'other'), true)
    assert.deepEqual(told.splice(0), [
      ['first', 0, 'a'],
      ['other', 0, 'b'],
    ])
    mock.timers.tick(MINUTE - 1)
    assert.deepEqual(told, [])
    mock.timers.tick(1)
    assert.deepEqual(told.splice(0), [['first', 4, 'a']])
    log.say('a', 'another')
    mock.timers.tick(MINUTE)
    assert.deepEqual(told, [['first', 1, 'a']])
  })

  it('is logged as the first again after a minute without any', () => {
    const log = newLog()
    log.say('a', 'first')
    mock.timers.tick(MINUTE)
    assert.equal(log.say('a', 'new'), true)
    assert.deepEqual(told, [
      ['first', 0, 'a'],
      ['new', 0, 'a'],
    ])
  })

  it('is counted as one beyond the number of kinds, until a minute passes without any', () => {
    const log = newLog(1000)
    const isLogged = Array.from({ length: 100_000 }, (_, at) => log.say(`${at}`, `of ${at}`))
    assert.equal(isLogged.filter(Boolean).length, 1001)
    told = []
    mock.timers.tick(MINUTE)
    assert.deepEqual(told.splice(0), [['of 1000', 98_999, '']])
    mock.timers.tick(MINUTE)
    assert.equal(log.say('a', 'new'), true)
    assert.deepEqual(told, [['new', 0, 'a']])
  })

  it('says as a text how many more came', () => {
    const lines: string[] = []
    const log = logTextOnce((line) => lines.push(line))
    for (let at = 0; at < 3; at++) log.say('a', 'no connection')
    mock.timers.tick(MINUTE)
    assert.deepEqual(lines, ['no connection', 'no connection (2 more in the last minute)'])
  })
})
