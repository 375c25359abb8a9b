import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { describe, it } from 'node:test'
import { isSupported, mailauthProblem } from '../../../src/message/proof/mailauth'
import { PackageCopy } from '../../support/package-copy'

const ADVICE = "in Haraka's directory, run: npm install mailauth@4"

/** What the copy says about mailauth, and about a message. */
function answersOf({ dir }: PackageCopy): unknown {
  const proof = JSON.stringify(path.join(dir, 'dist/src/message/proof'))
  const script = `
    const { mailauthProblem } = require(${proof} + '/mailauth.js')
    const { examine } = require(${proof} + '/prove.js')
    const message = require('node:stream').Readable.from([Buffer.from('From: a@b.example\\r\\n\\r\\n')])
    const question = { tenant: 't', message, size: 23, envelopeDomain: 'b.example',
      isAccepted: () => false, arcSealers: [] }
    examine(question).then(({ result, findings }) => process.stdout.write(
      JSON.stringify({ problem: mailauthProblem(), result, findings, destroyed: message.destroyed })))`
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }))
}

describe('mailauth', () => {
  it('has no problem where it is installed', () => {
    assert.equal(mailauthProblem(), undefined)
    const copy = new PackageCopy()
    copy.installMailauth()
    const result = { kind: 'none', reason: 'unsigned' }
    assert.deepEqual(answersOf(copy), { result, findings: [], destroyed: true })
  })

  it('is missed, and no message is read for a proof, where it is not installed', () => {
    assert.deepEqual(answersOf(new PackageCopy()), {
      problem: {
        message:
          'mailauth is not installed: no forward can be proven, and all of them count as unregistered mail',
        advice: ADVICE,
      },
      ...{ result: { kind: 'none', reason: 'no mailauth' }, findings: [], destroyed: true },
    })
  })

  it('is not used in a version that is not supported, and the version is named', () => {
    const copy = new PackageCopy()
    copy.pretendMailauth('7.1.0')
    assert.deepEqual(answersOf(copy), {
      problem: {
        message:
          'mailauth 7.1.0 is installed, not 4.13.3 or a later 4: no forward can be proven, and all of them count as unregistered mail',
        advice: ADVICE,
      },
      ...{ result: { kind: 'none', reason: 'no mailauth' }, findings: [], destroyed: true },
    })
  })

  for (const [version, expected] of [
    ['4.13.3', true],
    ['4.13.10', true],
    ['4.14.0', true],
    ['4.13.2', false],
    ['4.9.5', false],
    ['5.0.0', false],
    ['40.13.3', false],
    ['', false],
  ] as const) {
    it(`is ${expected ? '' : 'not '}supported in version ${version || '(none)'}`, () => {
      assert.equal(isSupported(version), expected)
    })
  }
})
