import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { timeByPart, type CpuProfile } from '../../bench/cpu-profile'

type Frame = readonly [id: number, url: string, children?: readonly number[], name?: string]

function profileOf(
  frames: readonly Frame[],
  samples: readonly (readonly [id: number, us: number])[],
): CpuProfile {
  return {
    nodes: frames.map(([id, url, children = [], functionName = 'f']) => ({
      id,
      callFrame: { functionName, url },
      children,
    })),
    samples: samples.map(([id]) => id),
    timeDeltas: samples.map(([, us]) => us),
  }
}

const SITE = 'file:///srv/relay/node_modules'
const TREE: readonly Frame[] = [
  [1, '', [2, 3, 4, 12], '(root)'],
  [2, '', [], '(idle)'],
  [3, '', [], '(garbage collector)'],
  [4, 'node:internal/stream_base_commons', [5]],
  [5, `${SITE}/Haraka/connection.js`, [6, 7]],
  [6, '', [], 'writeUtf8String'],
  [7, `${SITE}/haraka-plugin-unregistered-domain/dist/plugins/session/hooks.js`, [8, 10, 11]],
  [8, `${SITE}/ioredis/built/Redis.js`, [9]],
  [9, 'node:net', []],
  [10, `${SITE}/haraka-results/index.js`, []],
  // The rest of Haraka runs inside of what we answer.
  [11, `${SITE}/Haraka/plugins.js`, []],
  [12, `${SITE}/haraka-plugin-limit/index.js`, []],
]

describe('a CPU profile', () => {
  it('gives each part its own time, and what the runtime does for it', () => {
    const samples = [
      [4, 1],
      [5, 10],
      [6, 20],
      [7, 100],
      [8, 1000],
      [9, 2000],
      [10, 10_000],
      [11, 30],
      [12, 5],
    ] as const
    assert.deepEqual(
      timeByPart(profileOf(TREE, samples)),
      new Map([
        ['runtime', 1],
        ['haraka', 60],
        ['plugin', 100],
        ['ioredis', 3000],
        ['results', 10_000],
        ['limit', 5],
      ]),
    )
  })

  it('leaves idle time out, and counts the collector as the runtime', () => {
    assert.deepEqual(
      timeByPart(
        profileOf(TREE, [
          [2, 500],
          [3, 7],
        ]),
      ),
      new Map([['runtime', 7]]),
    )
  })

  it('may be empty', () => {
    assert.deepEqual(timeByPart(profileOf([], [])), new Map())
  })
})
