import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isMailboxProvider } from '../../src/names/mailbox-providers'

describe('isMailboxProvider', () => {
  for (const domain of [
    ...[
      'gmail.com',
      'googlemail.com',
      'outlook.com',
      'yahoo.co.jp',
      'gmx.de',
      'icloud.com',
      'qq.com',
    ],
    ...['fastmail.com', 'posteo.de', 'mailbox.org', 'mailinator.com', 'x.gmail.com'],
    ...['xn--mllmail-n2a.com'],
  ]) {
    it(`${domain} is one`, () => assert.equal(isMailboxProvider(domain), true))
  }
  for (const domain of [
    'contoso.com',
    'notgmail.com',
    'gmail.com.contoso.com',
    'microsoft.com',
    'com',
  ]) {
    it(`${domain} is none`, () => assert.equal(isMailboxProvider(domain), false))
  }

  it('a name of never_register_file is one, with the names below it', () => {
    const more = new Set(['isp.example'])
    assert.equal(isMailboxProvider('isp.example', more), true)
    assert.equal(isMailboxProvider('users.isp.example', more), true)
    assert.equal(isMailboxProvider('notisp.example', more), false)
    assert.equal(isMailboxProvider('isp.example'), false)
  })
})
