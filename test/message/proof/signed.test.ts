import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { arc } from 'mailauth/lib/arc'
import { dkimVerify } from 'mailauth/lib/dkim/verify'
import { keyZones, sealMessage, signer, signMessage } from '../../support/signed'

const MESSAGE = [
  ...['From: a@bank.example', 'To: b@school.example', 'Subject: hello'],
  ...['', 'Some  text', ''],
].join('\r\n')

describe('the signing of the tests', () => {
  it('makes signatures of both kinds and seals that mailauth verifies', async () => {
    let message = signMessage(MESSAGE, { domain: 'bank.example' })
    message = signMessage(message, {
      ...{ domain: 'bank.example', selector: 'e', type: 'ed25519' },
      canonicalization: 'simple/simple',
    })
    const results = 'mx.mailbox.example; dkim=pass header.d=bank.example'
    for (let set = 1; set <= 3; set++) {
      message = await sealMessage(message, { domain: 'mailbox.example', results })
    }
    const zones = keyZones([
      signer({ domain: 'bank.example' }),
      signer({ domain: 'bank.example', selector: 'e', type: 'ed25519' }),
      signer({ domain: 'mailbox.example' }),
    ])
    const options = {
      resolver: (name: string) => Promise.resolve([[...(zones[name]?.txt ?? [])]]),
      minBitLength: 1024,
    }
    const verified = await dkimVerify(Readable.from([Buffer.from(message)]), options)
    const passed = verified.results.filter(({ status }) => status.result === 'pass')
    assert.deepEqual(
      passed.map(({ selector }) => selector),
      ['e', 's1'],
    )
    assert.equal((await arc(verified.arc, options)).status.result, 'pass')
  })
})
