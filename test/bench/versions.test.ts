import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addedTo } from '../../bench/install'
import { withFigures } from '../../bench/own-bench'
import { rowsOf, type Footprint } from '../../bench/process'
import { ratioRow } from '../../bench/row'
import { withBefore } from '../../bench/servers'
import { rowsOf as stallRows } from '../../bench/stall'

describe('the other version', () => {
  it('runs in a server of its own beside each server with the plugin', () => {
    const servers = { alone: { plugins: [] }, ours: { plugins: ['unregistered-domain'] } }
    assert.deepEqual(withBefore(servers, '/srv/before'), {
      ...servers,
      'ours, before': { plugins: ['unregistered-domain'], package: '/srv/before' },
    })
    assert.equal(withBefore(servers, undefined), servers)
  })

  it('has the median of its pairs in the row of this one', () => {
    const before = [[1.1, 1.2, 1.3]]
    const { figure, before: shown } = ratioRow('registered', [[1, 1.1, 1.2]], 1.2, { before })
    assert.deepEqual([figure, shown], ['1.100 ×', '1.200 ×'])
  })

  it('has the figure of the row of the same name from its own bench', () => {
    const rows = withFigures(
      [
        { what: '1 tenant', figure: '29 µs' },
        { what: 'new here', figure: '1 µs' },
      ],
      [{ what: '1 tenant', figure: '33 µs' }],
    )
    assert.deepEqual(
      rows.map(({ before }) => before),
      ['33 µs', undefined],
    )
  })
})

describe('the memory and start of a process', () => {
  const MB = 2 ** 20
  const footprint = (megabytes: number, start: number): Footprint => {
    return { resident: megabytes * MB, heap: (megabytes / 4) * MB, start: start * 1e6 }
  }
  const starts = [14, 15, 30].map((more, at) => ({
    alone: footprint(80 + at, 1),
    floor: footprint(86 + at, 1.1),
    limit: footprint(88 + at, 1.2),
    ours: footprint(80 + at + more, 1.5),
    'ours, before': footprint(80 + at + more + 6, 2),
  }))
  const rows = rowsOf('worker', starts, 16 * MB)

  it('are the medians of what a process has more than Haraka alone of the same start', () => {
    const ours = rows
      .filter(({ what }) => what.includes('this plugin'))
      .map(({ figure, before }) => [figure, before])
    assert.deepEqual(ours, [
      ['15.0 MB', '21.0 MB'],
      ['3.8 MB', '5.3 MB'],
      ['0.50 s of CPU', '1.00 s of CPU'],
    ])
  })

  it('have a target for resident memory only', () => {
    const aimed = rows.filter(({ target }) => target)
    assert.deepEqual(
      aimed.map(({ what, target }) => [what, target]),
      [['resident memory of a worker, this plugin', { text: '≤ 16.0 MB', met: true }]],
    )
    assert.ok(rowsOf('worker', starts).every(({ target }) => target === undefined))
  })
})

it('the longest stall is the median of the minutes', () => {
  const minutes = [5, 90, 7].map((ms) => {
    return { alone: ms, limit: ms, ours: ms + 1, 'ours, before': ms + 2 }
  })
  assert.deepEqual(
    stallRows(minutes).map(({ figure, before }) => [figure, before]),
    [
      ['7.0 ms', undefined],
      ['8.0 ms', '9.0 ms'],
      ['7.0 ms', undefined],
    ],
  )
})

describe('what npm install adds', () => {
  const packages = {
    '': { dependencies: { ioredis: '^6', lru: '^11', shared: '^2' } },
    'node_modules/haraka': { dependencies: { redis: '^5', shared: '^2' } },
    'node_modules/redis': { version: '5.0.0', dependencies: { debug: '^4' } },
    'node_modules/shared': { version: '2.0.0' },
    'node_modules/debug': { version: '4.0.0' },
    'node_modules/lru': { version: '11.0.0' },
    'node_modules/ioredis': {
      version: '6.0.0',
      dependencies: { debug: '^3', shared: '^1', absent: '^1' },
      optionalDependencies: { lru: '^11' },
    },
    'node_modules/ioredis/node_modules/debug': { version: '3.0.0' },
    'node_modules/ioredis/node_modules/shared': { version: '2.0.0' },
    'node_modules/tests-only': { version: '1.0.0' },
  }

  it('is what Haraka does not bring along: another version counts, a second copy does not', () => {
    assert.deepEqual(addedTo('node_modules/haraka', { packages }).sort(), [
      'node_modules/ioredis',
      'node_modules/ioredis/node_modules/debug',
      'node_modules/lru',
    ])
  })
})
