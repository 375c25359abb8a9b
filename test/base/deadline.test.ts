import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { within } from '../../src/base/deadline'

const HOUR = 3_600_000

describe('a deadline', () => {
  it('gives what the promise gives, and leaves no timer behind', async () => {
    assert.equal(await within(HOUR, Promise.resolve('kept')), 'kept')
    await assert.rejects(within(HOUR, Promise.reject(new Error('broken'))), /^Error: broken$/)
  })

  it('rejects when the time is over, and bears what the promise does later', async () => {
    let fail = (_error: Error): void => {}
    const late = new Promise<never>((_resolve, reject) => (fail = reject))
    await assert.rejects(within(1, late), /^Error: no answer within 1 ms$/)
    fail(new Error('too late'))
    await new Promise((resolve) => setImmediate(resolve))
  })
})
