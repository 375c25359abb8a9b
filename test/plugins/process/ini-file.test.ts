import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import type { Plugin } from '../../../plugins/kit/haraka'
import { IniFile } from '../../../plugins/process/ini-file'
import { scratchDir } from '../../../scripts/services/scratch'
import { type Config } from '../../../src/process/config'
import { CONFIG_FILE } from '../../../src/process/config-file'
import { withoutRights, canDropRights } from '../../support/without-rights'

/** One process of Haraka, as far as it has to do with the ini file. */
class Haraka {
  readonly directory = scratchDir('config')
  readonly ini: IniFile
  /** What is in effect. */
  config: Config
  private readonly lines: string[] = []
  private changed = (): void => {}

  /** @param text `undefined`: there is no file. @param elsewhere what haraka-config has in its place. */
  constructor(text: string | undefined, elsewhere: object = {}) {
    if (text !== undefined) this.write(text)
    this.ini = new IniFile(this.plugin(elsewhere), (config) => (this.config = config))
    this.config = this.ini.config
  }

  get file(): string {
    return path.join(this.directory, CONFIG_FILE)
  }

  write(text: string): void {
    writeFileSync(this.file, text)
  }

  /** Has it read again, and returns what it logs. */
  reload(text?: string): string[] {
    if (text !== undefined) this.write(text)
    this.changed()
    return this.log()
  }

  /** What was logged since the last call, without the directory. */
  log(): string[] {
    return this.lines.splice(0).map((line) => line.replace(`${this.directory}/`, ''))
  }

  private plugin(elsewhere: object): Plugin {
    const log = (level: string) => (message: string) => this.lines.push(`${level} ${message}`)
    const get = (_name: string, changed: () => void): object => {
      this.changed = changed
      return elsewhere
    }
    return {
      config: { get, overrides_path: this.directory },
      ...{ logcrit: log('crit'), logerror: log('error'), logwarn: log('warn') },
      lognotice: log('notice'),
    } as unknown as Plugin
  }
}

const IN_EFFECT = `notice ${CONFIG_FILE}: in effect`
const STAYS = 'the previous configuration stays in effect'

describe('the ini file of a process', () => {
  it('has the values that haraka-config has from elsewhere, if there is no file', () => {
    const haraka = new Haraka(undefined, { main: { mode: 'monitor' } })
    assert.equal(haraka.config.main.mode, 'monitor')
    assert.deepEqual(haraka.log(), [])
    assert.deepEqual(haraka.reload('[main]\nmode=off\n'), [IN_EFFECT])
    assert.equal(haraka.config.main.mode, 'off')
  })

  it('logs each mistake at the start as critical, with what is in effect instead', () => {
    const haraka = new Haraka('[main]\nmode=on\noverride off\n[null]\nlimits=1/1h\nlimits=2/1h\n')
    assert.deepEqual(haraka.log(), [
      `crit ${CONFIG_FILE}:2: [main] mode: "on" is not one of enforce, monitor, off; until you correct it, the default is in effect: mode=enforce`,
      `crit ${CONFIG_FILE}:3: [main] override: the line has no "=": a key is written KEY=VALUE, a comment begins with ; or #; until you correct it, the default is in effect: override=(empty)`,
      `warn ${CONFIG_FILE}:6: [null] limits is set again, as on line 5: line 6 is in effect`,
    ])
    assert.equal(haraka.ini.redisUsable, true)
    assert.deepEqual(haraka.reload('[main]\noverride=off\n'), [IN_EFFECT])
    assert.equal(haraka.config.main.override, 'off')
  })

  it('is missing, empty or no file later: the previous configuration stays in effect', () => {
    const haraka = new Haraka('[main]\noverride=off\n')
    const stays = (line: string, expected: string[]): void => {
      assert.deepEqual(expected, [`error ${CONFIG_FILE}${line}; ${STAYS}`])
      assert.equal(haraka.config.main.override, 'off')
    }
    stays(': sets no key', haraka.reload(''))
    stays(': sets no key', haraka.reload('[main]\r\n; override=\r\n'))
    stays(' is no text in UTF-8: save it as such', haraka.reload('[\0m\0'))
    rmSync(haraka.file)
    stays(': is gone', haraka.reload())
    mkdirSync(haraka.file)
    stays(' is no regular file', haraka.reload())
    rmdirSync(haraka.file)
    assert.deepEqual(haraka.reload('[main]\noverride=monitor'), [IN_EFFECT])
    assert.equal(haraka.config.main.override, 'monitor')
  })

  it(
    'names the reason where the user that Haraka runs as may not read it',
    { skip: !canDropRights },
    async () => {
      const haraka = new Haraka('[main]\noverride=off\n')
      chmodSync(path.dirname(haraka.directory), 0o755)
      chmodSync(haraka.directory, 0o755)
      chmodSync(haraka.file, 0o600)
      const [line, ...more] = await withoutRights(() => haraka.reload())
      assert.equal(
        line,
        `error ${CONFIG_FILE} cannot be read (EACCES): the user that Haraka runs as must be able to read it; ${STAYS}`,
      )
      assert.deepEqual(more, [])
      assert.equal(haraka.config.main.override, 'off')
    },
  )

  it('keeps the process from Redis where it cannot be read at the start', () => {
    const haraka = new Haraka(Buffer.from('[main]\noverride=off\n', 'utf16le').toString('latin1'))
    assert.deepEqual(haraka.log(), [
      `crit ${CONFIG_FILE} is no text in UTF-8: save it as such; all keys have their defaults, and Redis is not asked: relaying sessions get 451 until that is corrected and Haraka restarted`,
    ])
    assert.equal(haraka.ini.redisUsable, false)
  })

  it('names what needs a restart at each change, until it is undone', () => {
    const haraka = new Haraka('[redis]\ndb=1\n')
    const changed = `warn ${CONFIG_FILE}: [redis] has changed: restart Haraka to use it`
    assert.deepEqual(haraka.reload('[redis]\ndb=2\n'), [changed, IN_EFFECT])
    assert.deepEqual(haraka.reload('[redis]\ndb=2\n[main]\nmode=off\n'), [changed, IN_EFFECT])
    assert.deepEqual(haraka.reload('[redis]\ndb=1\n'), [IN_EFFECT])
  })

  it('needs a restart once [redis] is corrected, whatever its values', () => {
    const haraka = new Haraka('[redis]\ndb 1\n')
    assert.equal(haraka.ini.redisUsable, false)
    assert.match(haraka.log()[1]!, /^crit .*: \[redis\] is wrong, so Redis is not asked: relaying /)
    assert.doesNotMatch(haraka.reload('[redis]\ndb=x\n').join(), /restart Haraka/)
    for (let time = 1; time <= 2; time++) {
      const [line] = haraka.reload('[redis]\ndb=0\n')
      assert.match(line!, /^warn .*: \[redis\] has changed: restart Haraka to use it$/)
    }
  })
})
