import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pauseEnforcement, resumeEnforcement, type PauseChange } from '../../src/enforcement/pause'
import { Forwarder } from '../../src/events/forwarder'
import { describe as wordsOf } from '../../src/events/words'
import { dueOf, tellPause } from '../../src/process/pause-duty'
import type { Store } from '../../src/store/store'
import { entries } from '../support/events'
import { newSite, useRedis } from '../support/registry'

useRedis()

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const NOON = Date.parse('2026-11-26T12:00:00Z')
const ACT = { by: 'ann', reason: 'limits' }
const PAUSED: PauseChange = {
  ...({ state: 'paused', mark: NOON * 1000, first: NOON * 1000, at: NOON, ...ACT } as const),
  ...{ until: NOON + 2 * HOUR, everything: false },
}

const titles = (now: number, change: PauseChange = PAUSED): string[] =>
  dueOf({ now, change }).map((event) => wordsOf('', event).title)

describe('alerts about a pause of enforcement', () => {
  const begun = 'Enforcement is paused on all hosts until 2026-11-26T14:00:00Z, by ann: limits'
  const since = '2026-11-26T12:00:00Z'
  const goesOn = `Enforcement has been paused since ${since}, and is until 2026-11-26T14:00:00Z, by ann: limits`
  const soon = `The pause of enforcement ends at 2026-11-26T14:00:00Z; it was begun at ${since} by ann: limits`
  const over = 'The pause of enforcement has ended by itself'

  it('come at its beginning, every hour, 15 minutes before its end, and when it is over', () => {
    assert.deepEqual(titles(NOON), [begun])
    assert.deepEqual(titles(NOON + HOUR - 1), [begun])
    assert.deepEqual(titles(NOON + HOUR), [begun, goesOn])
    assert.deepEqual(titles(NOON + 105 * MINUTE), [begun, goesOn, soon])
    assert.deepEqual(titles(NOON + 2 * HOUR), [begun, over])
    assert.deepEqual(titles(NOON + 27 * HOUR), [begun])
    const short = { ...PAUSED, until: NOON + 15 * MINUTE }
    assert.equal(titles(NOON + MINUTE, short).length, 1)
  })

  it('name who has resumed it, and resolve its beginning', () => {
    const now = NOON + HOUR
    const resumed = { ...PAUSED, state: 'resumed', mark: now * 1000, at: now, by: 'bob' } as const
    assert.deepEqual(titles(now, resumed), ['Enforcement was resumed by bob: limits'])
    const [first] = dueOf({ now, change: PAUSED })
    const [end] = dueOf({ now, change: resumed })
    assert.equal(end?.kind === 'resolved' && end.resolves, first?.id)
    const [, reminder] = dueOf({ now, change: PAUSED })
    assert.equal(wordsOf('', first!).continues, undefined)
    assert.equal(wordsOf('', reminder!).continues, first?.id)
    assert.deepEqual(titles(now, { ...resumed, first: 0 }), [])
  })

  it('are told once each, however many leaders there are, and High', async () => {
    const { store } = newSite()
    const order = { ...ACT, duration: HOUR, everything: true, words: 'x' }
    await pauseEnforcement(store, order)
    const leaders = [dutyOf(store), dutyOf(store)]
    const lead = async () => {
      for (const duty of [...leaders, ...leaders, dutyOf(store)]) await duty.run()
    }
    await lead()
    await pauseEnforcement(store, order)
    await lead()
    await resumeEnforcement(store, ACT)
    await lead()
    const all = (await entries(store)).map(({ alert: { severity, kind, count } }) => {
      return [severity, kind, count].join(' ')
    })
    assert.deepEqual(all, ['High paused 1', 'High paused 1', 'Informational resolved 1'])
    const [began, , ended] = await entries(store)
    assert.equal(ended!.alert.resolves, began!.alert.id)
  })
})

function dutyOf(store: Store) {
  const events = { onAlert() {}, onError: assert.fail }
  return tellPause(store, new Forwarder(store, () => Promise.resolve(), events))
}
