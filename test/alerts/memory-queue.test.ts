import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Channel, Outcome } from '../../src/alerts/channel'
import { DELIVERED } from '../../src/alerts/channel'
import { Dispatcher } from '../../src/alerts/dispatcher'
import { MemoryQueue } from '../../src/alerts/memory-queue'
import { SCHEDULE } from '../../src/alerts/schedule'
import { waitFor } from '../support'
import { anAlert } from '../support/alerts'

const QUICK = { ...SCHEDULE, steps: [5, 10], interval: 5 }

describe('alerts in memory', () => {
  it('are tried again until they are delivered, in an order of their own', async (t) => {
    const outcomes: Outcome[] = [
      { kind: 'failed', reason: 'away' },
      { kind: 'waiting', ms: 1 },
      { kind: 'failed', reason: 'away' },
    ]
    const tried: string[] = []
    const channel: Channel = {
      ...{ name: 'webhook', destination: () => 'x' },
      deliver: ({ id }) => {
        tried.push(id)
        return Promise.resolve(outcomes.shift() ?? DELIVERED)
      },
    }
    const log: string[] = []
    const queue = new MemoryQueue(QUICK)
    const dispatcher = new Dispatcher(queue, channel, {
      onDelivered: (_channel, { id }, tries) => log.push(`delivered ${id} ${tries}`),
      onFailed: (_channel, { id }) => log.push(`failed ${id}`),
      ...{ onGivenUp: assert.fail, onDropped: assert.fail, onError: assert.fail },
    })
    dispatcher.start()
    t.after(() => dispatcher.stop())
    queue.add(anAlert({ id: 'evt_1' }))
    await waitFor(() => log.length === 3)
    assert.deepEqual(log, ['failed evt_1', 'failed evt_1', 'delivered evt_1 3'])
    assert.equal(tried.length, 4)
    await waitFor(async () => (await queue.turn(new Map(), 10)).due.length === 0)
  })

  it('wait while their channel is off, a hundred at most: the newest', async () => {
    const queue = new MemoryQueue()
    for (let at = 0; at < 150; at++) queue.add(anAlert({ id: `evt_${at}` }))
    const { due } = await queue.turn(new Map(), 1000)
    assert.deepEqual([due.length, due[0]?.id, due.at(-1)?.id], [100, 'evt_50', 'evt_149'])
    assert.deepEqual((await queue.turn(new Map(), 1000)).due, [], 'each is claimed once')
  })
})
