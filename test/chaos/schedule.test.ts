import assert from 'node:assert/strict'
import { it } from 'node:test'
import { FAULTS } from './faults'
import { LANES, scheduleOf } from './schedule'

it('A seed always gives the same schedule, and another seed a different one', () => {
  assert.deepEqual(scheduleOf(FAULTS, 1, 20_000), scheduleOf(FAULTS, 1, 20_000))
  assert.notDeepEqual(scheduleOf(FAULTS, 1, 20_000), scheduleOf(FAULTS, 2, 20_000))
})

it('Schedules of some seeds have every kind of fault, each in its lane', () => {
  const found = new Set<string>()
  for (let seed = 0; seed < 60; seed++) {
    const schedule = scheduleOf(FAULTS, seed, 30_000)
    for (const lane of LANES) {
      for (const { kind } of schedule[lane]) {
        assert.equal(FAULTS[kind]?.lane, lane)
        found.add(kind)
      }
    }
  }
  assert.deepEqual([...found].sort(), Object.keys(FAULTS).sort())
})
