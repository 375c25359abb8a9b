import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { domainToASCII } from 'node:url'
import { mixedScripts } from '../../src/names/mixed-scripts'

describe('mixed scripts', () => {
  for (const [name, scripts] of [
    ['cоntoso.com', ['Latin', 'Cyrillic']],
    ['mail.gοοgle.example', ['Latin', 'Greek']],
    ['contoso.com', []],
    ['bücher-24.example', []],
    // Each label has one script.
    ['пример.com', []],
    // As Japanese is written.
    ['日本ドメイン-web.example', []],
  ] as const) {
    it(`of ${name}: ${scripts.join(', ') || 'none'}`, () => {
      assert.deepEqual(mixedScripts(domainToASCII(name)), scripts)
    })
  }
})
