import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { harakaWarnings, pluginNames } from '../../src/config/haraka-checks'
import { harakaFiles } from '../../src/config/haraka-files'

describe('checks of Haraka’s own configuration', () => {
  let directory: string
  beforeEach(() => (directory = mkdtempSync(path.join(tmpdir(), 'haraka-checks-'))))
  afterEach(() => rmSync(directory, { recursive: true }))

  const write = (name: string, text: string): void =>
    writeFileSync(path.join(directory, name), text)
  const checks = (): string[] => harakaWarnings(harakaFiles(directory)).map(({ check }) => check)

  it('find nothing to warn of in an empty directory', () => {
    assert.deepEqual(checks(), [])
  })

  it('read config/plugins as Haraka does', () => {
    write('plugins', '# a comment\n\n  tls  \nhelo.checks\nhelo.checks\nharaka-plugin-limit\n')
    assert.deepEqual(pluginNames(harakaFiles(directory)), [
      'tls',
      'helo.checks',
      'helo.checks',
      'limit',
    ])
  })

  it('warn of constrain_sender, which is on by default', () => {
    write('plugins', 'auth/flat_file\n')
    assert.deepEqual(checks(), ['constrain_sender'])
    write('auth_flat_file.ini', '[core]\nmethods=PLAIN\n[users]\na@contoso.com=secret\n')
    assert.deepEqual(checks(), ['constrain_sender'])
    write('auth_flat_file.ini', '[core]\nconstrain_sender=yes\n')
    assert.deepEqual(checks(), ['constrain_sender'])
  })

  it('do not warn where constrain_sender is off or its plugin is not loaded', () => {
    write('plugins', 'auth/flat_file\nauth/auth_vpopmaild\n')
    write('auth_flat_file.ini', '[core]\nconstrain_sender=false\n')
    write('auth_vpopmaild.ini', 'constrain_sender=no\n')
    assert.deepEqual(checks(), [])
    write('plugins', 'auth/auth_proxy\n')
    rmSync(path.join(directory, 'auth_flat_file.ini'))
    assert.deepEqual(checks(), [])
  })

  it('read the section of constrain_sender that the plugin reads', () => {
    write('plugins', 'auth/auth_vpopmaild\n')
    write('auth_vpopmaild.ini', '[core]\nconstrain_sender=false\n')
    assert.deepEqual(checks(), ['constrain_sender'])
  })

  it('warn of deny_chars', () => {
    write('connection.ini', '[uuid]\ndeny_chars=6\n')
    assert.deepEqual(checks(), ['deny_chars'])
    write('connection.ini', '[uuid]\ndeny_chars=0\n')
    assert.deepEqual(checks(), [])
  })
})
