import assert from 'node:assert/strict'
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { isLoopback, listenText } from '../../src/base/listen'
import { parseListen } from '../../src/metrics/settings'
import { readToken } from '../../src/metrics/token'
import { scratchDir } from '../../scripts/services/scratch'

describe('where metrics are served', () => {
  for (const [given, loopback] of [
    ['127.0.0.1:9825', true],
    ['127.9.9.9:0', true],
    ['[::1]:65535', true],
    ['[::ffff:127.0.0.1]:1', true],
    ['0.0.0.0:9825', false],
    ['[::]:9825', false],
    ['192.0.2.1:9825', false],
    ['[2001:db8::1]:9825', false],
  ] as const) {
    it(`${given} is ${loopback ? '' : 'not '}for this machine alone`, () => {
      assert.equal(isLoopback(parseListen(given)), loopback)
      assert.equal(listenText(parseListen(given)), given)
    })
  }

  for (const given of [
    ...['', '9825', ':9825', 'localhost:9825', '127.0.0.1', '127.0.0.1:', '127.0.0.1:65536'],
    ...['127.0.0.1:-1', '::1:9825', '[127.0.0.1]:9825', '127.0.0.0/8:1', '[::1', '127.1:9825'],
    ...['127.0.0.1:9825 ', 'http://127.0.0.1:9825', '127.0.0.1:98250'],
  ]) {
    it(`is not ${JSON.stringify(given)}`, () => {
      assert.throws(() => parseListen(given), /is not ADDRESS:PORT: write an IP address and a port/)
    })
  }
})

describe('the file with the token of metrics', () => {
  const uid = process.getuid!()
  const file = path.join(scratchDir('token'), 'token')
  const write = (content: string, mode = 0o600): void => {
    writeFileSync(file, content)
    chmodSync(file, mode)
  }

  it('is read without the blanks around the token', () => {
    write('\n 0123456789abcdef\n')
    assert.equal(readToken(file, uid), '0123456789abcdef')
    chmodSync(file, 0o640)
    assert.equal(readToken(file, uid), '0123456789abcdef')
  })

  for (const mode of [0o644, 0o604, 0o660, 0o602, 0o620, 0o666, 0o601]) {
    it(`is refused with mode ${mode.toString(8)}: others could read or change it`, () => {
      write('0123456789abcdef', mode)
      assert.throws(() => readToken(file, uid), {
        message: `[metrics] token_file: ${file} has mode 0${mode.toString(8)}: others on this machine may read or change it; chmod 0600, or 0640 with the group of the exporter's user`,
        exitStatus: 2,
      })
    })
  }

  for (const content of [
    '',
    'short',
    'two words of a token',
    'a'.repeat(15),
    'tökën-tökën-tökën',
    'x\ny'.repeat(9),
  ]) {
    it(`is refused with ${JSON.stringify(content)}, and not repeated`, () => {
      write(content)
      assert.throws(
        () => readToken(file, uid),
        ({ message }: Error) =>
          /does not hold 16 or more printable characters/.test(message) &&
          (content === '' || !message.includes(content)),
      )
    })
  }

  it('that is not there, or is no file, is named', () => {
    const directory = path.dirname(file)
    assert.throws(() => readToken(path.join(directory, 'none'), uid), /none does not exist/)
    assert.throws(() => readToken(directory, uid), /is no regular file|has mode/)
    const link = path.join(directory, 'link')
    symlinkSync('/dev/zero', link)
    assert.throws(() => readToken(link, uid), /is no regular file|has mode/)
  })
})
