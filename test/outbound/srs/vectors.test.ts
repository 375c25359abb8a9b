// Against what others have published: the unit and black-box tests of postsrsd 2 (roehling/postsrsd), and what Mail::SRS
// 0.31, the scheme's first implementation, makes of these senders. Both at this time, with this secret.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Sides } from '../../../src/outbound/srs/address'
import { rewriteSender } from '../../../src/outbound/srs/rewrite'
import { stampOf } from '../../../src/outbound/srs/stamp'
import { unwrap } from '../../../src/outbound/srs/unwrap'

/** 2020-01-01 00:01:00 UTC */
const NOW = 1_577_836_860_000
const KEYS = { domain: 'example.com', secrets: ['tops3cr3t'] }

function sides(text: string): Sides {
  const at = text.lastIndexOf('@')
  return { user: text.slice(0, at), domain: text.slice(at + 1) }
}

function forward(sender: string, length: number, keys = KEYS): string {
  const rewritten = rewriteSender(sides(sender), keys, NOW, length)
  return 'to' in rewritten ? `${rewritten.to.user}@${rewritten.to.domain}` : rewritten.stays
}

function reverse(address: string, length: number, keys = KEYS): string {
  const unwrapped = unwrap(sides(address).user, keys, NOW, length)
  return 'to' in unwrapped ? `${unwrapped.to.user}@${unwrapped.to.domain}` : unwrapped.refused
}

describe('the vectors of postsrsd', () => {
  const forwards: [sender: string, address: string][] = [
    ['test@otherdomain.com', 'SRS0=vmyz=2W=otherdomain.com=test@example.com'],
    // postsrsd 2 writes -3_5, its other base64; Mail::SRS and libsrs2 write it so.
    ['hash234@somedomain.com', 'SRS0=+3/5=2W=somedomain.com=hash234@example.com'],
    ['SRS0=opaque+string@otherdomain.com', 'SRS1=chaI=otherdomain.com==opaque+string@example.com'],
    [
      'SRS1=X=thirddomain.com==opaque+string@otherdomain.com',
      'SRS1=JIBX=thirddomain.com==opaque+string@example.com',
    ],
    ['test@example.com', 'own'],
    ['SRS0=XjO9=2V=otherdomain.com=test@example.com', 'own'],
  ]
  for (const [sender, address] of forwards) {
    it(`forward ${sender}`, () => assert.equal(forward(sender, 4), address))
  }

  const reverses: [address: string, sender: string][] = [
    ['SRS0=vmyz=2W=otherdomain.com=test@example.com', 'test@otherdomain.com'],
    ['SRS0=XjO9=2V=otherdomain.com=test@example.com', 'test@otherdomain.com'],
    ['SRS1=JIBX=thirddomain.com==opaque+string@example.com', 'SRS0=opaque+string@thirddomain.com'],
    ['test@example.com', 'unknown'],
    // 6 months old, and 6 months in the future
    ['SRS0=te87=T7=otherdomain.com=test@example.com', 'expired'],
    ['SRS0=VcIb=7N=otherdomain.com=test@example.com', 'expired'],
    ['SRS0=FAKE=2V=otherdomain.com=test@example.com', 'unknown'],
    ['srs0=xjo9=2v=otherdomain.com=test@example.com', 'test@otherdomain.com'],
    ['SRS0=XJO9=2V=OTHERDOMAIN.COM=TEST@EXAMPLE.COM', 'TEST@otherdomain.com'],
    ['SRS0=-3_5=2W=somedomain.com=hash234@example.com', 'hash234@somedomain.com'],
    ['SRS0=+3/5=2W=somedomain.com=hash234@example.com', 'hash234@somedomain.com'],
    ['SRS0=@example.com', 'unknown'],
    ['SRS0=XjO9@example.com', 'unknown'],
    ['SRS0=XjO9=2V@example.com', 'unknown'],
    ['SRS0=XjO9=2V=otherdomain.com@example.com', 'unknown'],
  ]
  for (const [address, sender] of reverses) {
    it(`reverse ${address}`, () => assert.equal(reverse(address, 4), sender))
  }
})

describe('what Mail::SRS makes', () => {
  const four: [sender: string, address: string][] = [
    ['Mixed.Case@Sub.Example.ORG', 'SRS0=cllN=2W=Sub.Example.ORG=Mixed.Case@example.com'],
    ['a=b+c-d@x-y.example', 'SRS0=7sv3=2W=x-y.example=a=b+c-d@example.com'],
    [
      'SRS0+abcd=2W=first.example=user@second.example',
      'SRS1=VCHt=second.example=+abcd=2W=first.example=user@example.com',
    ],
    [
      'srs0-AbCd=2w=First.Example=User@Second.example',
      'SRS1=nKo1=Second.example=-AbCd=2w=First.Example=User@example.com',
    ],
  ]
  const six: [sender: string, address: string][] = [
    ['test@otherdomain.com', 'SRS0=vmyz7B=2W=otherdomain.com=test@example.com'],
    ['hash234@somedomain.com', 'SRS0=+3/52K=2W=somedomain.com=hash234@example.com'],
    [
      'SRS0=opaque+string@otherdomain.com',
      'SRS1=chaIfI=otherdomain.com==opaque+string@example.com',
    ],
    [
      'SRS1=X=thirddomain.com==opaque+string@otherdomain.com',
      'SRS1=JIBXkf=thirddomain.com==opaque+string@example.com',
    ],
    [
      'SRS0+abcd=2W=first.example=user@second.example',
      'SRS1=VCHt+k=second.example=+abcd=2W=first.example=user@example.com',
    ],
  ]
  for (const [length, vectors] of [
    [4, four],
    [6, six],
  ] as const) {
    for (const [sender, address] of vectors) {
      it(`of ${sender}, with a hash of ${length}`, () => {
        assert.equal(forward(sender, length), address)
      })
    }
  }

  it('is read with each of its three first separators', () => {
    for (const address of [
      'SRS0=7sv3dH=2W=x-y.example=a=b+c-d@example.com',
      'SRS0+7sv3dH=2W=x-y.example=a=b+c-d@example.com',
      'SRS0-7sv3dH=2W=x-y.example=a=b+c-d@example.com',
      // Of the base64 sign a separator may be a neighbour.
      'SRS0++3/52K=2W=somedomain.com=hash234@example.com',
      'SRS1-RiQ5PA=third.example=+abcd=2W=first.example=user@example.com',
    ]) {
      assert.notEqual(reverse(address, 6), 'unknown', address)
    }
  })

  it('is read with a secret that signs no more', () => {
    const rotated = { ...KEYS, secrets: ['new secret of sixteen', 'tops3cr3t'] }
    assert.equal(
      forward('test@otherdomain.com', 6, rotated),
      'SRS0=58/9Fo=2W=otherdomain.com=test@example.com',
    )
    for (const hash of ['58/9Fo', 'vmyz7B']) {
      assert.equal(
        reverse(`SRS0=${hash}=2W=otherdomain.com=test@example.com`, 6, rotated),
        'test@otherdomain.com',
      )
    }
    assert.equal(reverse('SRS0=58/9Fo=2W=otherdomain.com=test@example.com', 6), 'unknown')
  })

  it('has these stamps', () => {
    const stamps = [0, 86_399, 86_400, 1_577_836_860, 1_666_224_060, 1_700_000_000, 4_102_444_800]
    assert.deepEqual(
      stamps.map((seconds) => stampOf(seconds * 1000)),
      ['AA', 'AA', 'AB', '2W', '2V', 'G3', 'L2'],
    )
  })
})
